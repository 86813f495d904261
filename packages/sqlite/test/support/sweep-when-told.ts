// Sweeps the file once it is told to, and says how many sessions that removed.
import { createInterface } from 'node:readline';
import { createSqliteStore } from '@mcp-session/sqlite';

const [path = ''] = process.argv.slice(2);
const store = await createSqliteStore({ path, sweep: false });
process.stdout.write('ready\n');
for await (const _ of createInterface(process.stdin)) break;
process.stdout.write(`${await store.sweep()}\n`);
await store.close();
