// Opens a store on a file that may not exist yet, at the same moment as other processes, and
// appends to a session of its own. Ten on a slow machine may wait longer than by default.
import { createSqliteStore } from '@mcp-session/sqlite';

const [path = '', startAt = '0'] = process.argv.slice(2);
// All spin until the same moment, so that they meet in the middle of the opening.
while (Date.now() < Number(startAt));
const store = await createSqliteStore({ path, busyTimeoutMs: 30_000, sweep: false });
const session = await store.create();
const id = await session.events.append('s', { from: process.pid });
await store.close();
process.stdout.write(`${id}\n`);
