// A process of its own, with the defaults of Node.js: `node careless-node.ts`. Its runners await
// nothing. It says to its parent what became of their tasks, and what was reported.
import { createMemoryStore } from '@mcp-session/core/memory';
import { createTaskStore, type TaskHandle, type TaskRunner } from '../../src/index.ts';

const errors: string[] = [];
const wrong = 5 as never;
let ended: TaskHandle | undefined;

const runners: Record<string, TaskRunner> = {
  progress: async (task) => {
    void task.status('almost done');
    void task.saveCheckpoint(1);
    void task.status('done');
    return { content: [] };
  },
  mistakes: async (task) => {
    ended = task;
    void task.status(wrong);
    void task.saveCheckpoint(new Date() as never);
    void task.requireInput(wrong);
    void task.complete(wrong);
    void task.fail(wrong);
    return { content: [] };
  },
  question: async (task) => {
    void task.requireInput({ name: { method: 'elicitation/create', params: {} } });
    return { content: [] };
  },
  failure: async (task) => {
    void task.status('trying');
    void task.fail({ code: -32_000, message: 'No' });
    return undefined as unknown as object;
  },
  cancellation: async (task) => {
    void task.cancelled();
    return { content: [] };
  },
};

const store = await createMemoryStore();
const tasks = createTaskStore(store, { runners, onError: (error) => void errors.push(String(error)) });
const shown: Record<string, unknown> = {};
for (const runner of Object.keys(runners)) {
  const { taskId } = await tasks.create({ runner });
  for await (const task of tasks.watch(taskId)) {
    shown[runner] = [task.status, task.statusMessage ?? null];
  }
}
// All that these calls do has failed when this one has.
for (const call of [ended?.status('late'), ended?.release(), ended?.cancelled()]) void call;
await ended?.saveCheckpoint(2).catch(() => undefined);
await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
process.send?.({ shown, errors }, () => process.disconnect());
await store.close();
