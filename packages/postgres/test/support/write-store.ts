// Appends to sessions from several writers at once, each in its own order.
import { createPostgresStore, type PostgresStoreOptions } from '@mcp-session/postgres';

const [given = '', sessionIds = '', writers = '', each = ''] = process.argv.slice(2);
const options = JSON.parse(given) as PostgresStoreOptions;
const store = await createPostgresStore({ ...options, sweep: false });
const sessions = await Promise.all(sessionIds.split(',').map((id) => store.get(id)));
await Promise.all(
  Array.from({ length: Number(writers) }, async (_, writer) => {
    for (let n = 0; n < Number(each); n++) {
      await Promise.all(
        sessions.map(async (session) =>
          session?.events.append(`stream-${writer}`, { writer: `${process.pid}-${writer}`, n }),
        ),
      );
    }
  }),
);
await store.close();
