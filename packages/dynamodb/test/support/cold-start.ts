// Everything that an execution environment does before its first answer. The store is not closed,
// and nothing keeps the process.
import type { StorageArgument } from './storage.ts';

const storage = JSON.parse(process.argv[2] ?? '') as StorageArgument;
const { createDynamoDbStore } = await import('@mcp-session/dynamodb');
const loadedMs = performance.now();
const { optionsOf } = await import('./storage.ts');
const store = await createDynamoDbStore({ ...optionsOf(storage), autoCreateTables: false, sweep: false });
const openMs = performance.now();
const session = await store.create();
await session.state.set('a', 1);
await session.events.append('x', 1);
process.stdout.write(JSON.stringify({ loadedMs, openMs: openMs - loadedMs, usedMs: performance.now() - openMs }));
