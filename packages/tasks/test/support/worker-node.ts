// A node in a process of its own: `node worker-node.ts <file> <onInterrupted>`. It creates a task,
// says its id, and runs it until it is killed.
import { createSqliteStore } from '@mcp-session/sqlite';
import { createTaskStore } from '../../src/index.ts';
import { counting, LEASE_MS, STEPS } from './counting.ts';

const [path = '', onInterrupted] = process.argv.slice(2);
const store = await createSqliteStore({ path });
const tasks = createTaskStore(store, { leaseMs: LEASE_MS, runners: { count: counting(store) } });
const { taskId } = await tasks.create({
  runner: 'count',
  context: STEPS,
  onInterrupted: onInterrupted === 'fail' ? 'fail' : 'run again',
});
process.send?.(taskId);
