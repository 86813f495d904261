// A node in a process of its own: `node worker-node.ts <file> <onInterrupted>`. It creates a task,
// runs it until the middle of step 5, says its id there, and waits to be killed.
import { createSqliteStore } from '@mcp-session/sqlite';
import { createTaskStore } from '../../src/index.ts';
import { counting, LEASE_MS, STEPS } from './counting.ts';

const [path = '', onInterrupted] = process.argv.slice(2);
const store = await createSqliteStore({ path });
const held = Promise.withResolvers<void>();
const count = counting(store, async (step) => {
  if (step !== 5) return;
  held.resolve();
  await new Promise<never>(() => undefined);
});
const tasks = createTaskStore(store, { leaseMs: LEASE_MS, runners: { count } });
const { taskId } = await tasks.create({
  runner: 'count',
  context: STEPS,
  onInterrupted: onInterrupted === 'fail' ? 'fail' : 'run again',
});
await held.promise;
// This listener also keeps the process alive.
process.once('disconnect', () => process.exit());
process.send?.(taskId);
