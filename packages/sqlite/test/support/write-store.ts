// Appends through the public API, from several callers at once, on one session.
import { createSqliteStore } from '@mcp-session/sqlite';

const [path = '', id = '', writers = '0', each = '0'] = process.argv.slice(2);
const store = await createSqliteStore({ path, sweep: false });
const session = await store.get(id);
if (session === undefined) throw new Error('The session is not there');
await Promise.all(
  Array.from({ length: Number(writers) }, async (_, writer) => {
    for (let n = 0; n < Number(each); n++) {
      await session.events.append(`stream-${writer}`, { writer: `${process.pid}/${writer}`, n });
    }
  }),
);
await store.close();
