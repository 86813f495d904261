// Appends the present time whenever it is told to.
import { createInterface } from 'node:readline';
import { createPostgresStore, type PostgresStoreOptions } from '@mcp-session/postgres';

const [given = '', id = ''] = process.argv.slice(2);
const store = await createPostgresStore({ ...(JSON.parse(given) as PostgresStoreOptions), sweep: false });
const session = await store.get(id);
if (session === undefined) throw new Error('The session is not there');
process.stdout.write('ready\n');
for await (const _ of createInterface(process.stdin)) await session.events.append('s', { at: Date.now() });
await store.close();
