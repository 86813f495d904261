// A node of the torture run of tasks: `node task-node.ts <options as JSON>`. Its parent asks it for
// tasks. It runs them, and those of nodes that have died.
import { setTimeout as pause } from 'node:timers/promises';
import { createTaskStore } from '@mcp-session/tasks';
import { openStore } from './lib/backends.ts';
import type { TaskNodeOptions } from './lib/tasks/crew.ts';
import { plantInTasks } from './lib/tasks/bugs.ts';
import { TaskHistory } from './lib/tasks/history.ts';
import { recordedRunner } from './lib/tasks/runner.ts';

const { address, history, leaseMs, bug } = JSON.parse(process.argv[2] ?? '{}') as TaskNodeOptions;
const store = await openStore(address);
const tasks = createTaskStore(plantInTasks(store, bug), {
  runners: { work: recordedRunner(new TaskHistory(history)) },
  onInterrupted: 'run again',
  leaseMs,
  // A database that is busy or a node that was frozen: the checks judge what becomes of the tasks.
  onError: () => undefined,
});
/** The parent may be gone. */
const say = (message: object): void => void process.send?.(message, undefined, undefined, () => undefined);
process.on('message', (order: { readonly create: number }) => {
  tasks.create({ runner: 'work', context: order.create }).then(
    ({ taskId }) => say({ created: order.create, taskId }),
    () => say({ created: order.create }),
  );
});
process.once('disconnect', () => process.exit());
process.send?.('ready');
for (;;) {
  await pause(leaseMs * (0.5 + Math.random()));
  await tasks.recover().catch(() => undefined);
}
