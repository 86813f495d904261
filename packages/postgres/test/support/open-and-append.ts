// Opens a store, follows a session of its own while it appends to it, and closes.
import { createPostgresStore, type PostgresStoreOptions } from '@mcp-session/postgres';

const [given = ''] = process.argv.slice(2);
const store = await createPostgresStore(JSON.parse(given) as PostgresStoreOptions);
const session = await store.create();
await session.events.append('s', process.pid);
for await (const _ of session.events.tail()) break;
await store.close();
