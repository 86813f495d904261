// Run as a process of its own: a store that sweeps, polls for a waiting tail, and is never closed
// must not keep it alive.
import { createMemoryStore } from '@mcp-session/core/memory';

const store = await createMemoryStore();
const session = await store.create();
await session.events.append('s', 'first');
const events = session.events.tail();
const first = await events.next();
void events.next();
process.stdout.write(`waiting after ${JSON.stringify(first.value?.message)}`);
