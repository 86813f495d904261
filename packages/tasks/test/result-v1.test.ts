import { createMemoryStore } from '@mcp-session/core/memory';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createTaskStore } from '../src/index.ts';
import { createV1Tasks } from '../src/v1.ts';
import { ask, take, alice } from './support/nodes.ts';

type Result = (request: object, extra: object) => Promise<Record<string, unknown>>;

it('task rules 24 and 28: tasks/result of SDK v1 asks a question once while it is open, and hears at once of a cancel, as its worker does', async () => {
  const reads: string[] = [];
  const store = await createMemoryStore({ sweep: false, observe: ({ name }) => void reads.push(name) });
  onTestFinished(() => store.close());
  const tasks = createTaskStore(store, { pollIntervalMs: 60_000, leaseMs: 3_600_000 });
  const { taskId } = await tasks.create(alice);
  const worker = await take(tasks, taskId);
  const shown = createV1Tasks(store, tasks, alice);
  const served = Promise.withResolvers<Result>();
  const asked: unknown[] = [];
  const signals: AbortSignal[] = [];
  const answer = Promise.withResolvers<object>();
  const request = async (question: unknown, _: unknown, { signal }: { readonly signal: AbortSignal }) => {
    asked.push(question);
    signals.push(signal);
    return signals.length === 1 ? answer.promise : new Promise(() => undefined);
  };
  const setRequestHandler = (_: unknown, handler: Result): void => served.resolve(handler);
  shown.serve({ server: { setRequestHandler, request } });
  const result = (await served.promise)({ params: { taskId } }, { signal: new AbortController().signal }).catch(
    (error: unknown) => error,
  );
  const answers = worker.requireInput({ name: ask('Who?') });
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  // A change while the question is open: the task is read again, and the client is not asked again.
  reads.length = 0;
  await worker.status('still waiting');
  await vi.waitFor(() => expect(reads).toContain('readSession'));
  answer.resolve({ action: 'accept' });
  expect(await answers).toEqual({ name: { action: 'accept' } });
  expect(asked).toHaveLength(1);

  // The client does not answer this one: it ends with the request that asked.
  void worker.requireInput({ more: ask('Where?') }).catch(() => undefined);
  await vi.waitFor(() => expect(asked).toHaveLength(2));
  expect(signals[1]?.aborted).toBe(false);
  await shown.options.taskStore.updateTaskStatus(taskId, 'cancelled');
  // Who hears nothing would read the task again in an hour.
  await vi.waitFor(() => expect(worker.signal.reason).toMatchObject({ code: 'TASK_CANCELLED' }));
  expect(await result).toMatchObject({ code: -32_602 });
  expect(signals[1]?.aborted).toBe(true);
});

it('task rule 33: a result that the TaskStore of SDK v1 refuses leaves the task free for another one', async () => {
  const store = await createMemoryStore({ sweep: false });
  onTestFinished(() => store.close());
  const tasks = createTaskStore(store, { leaseMs: 3_600_000 });
  const { taskStore } = createV1Tasks(store, tasks, alice).options;
  const { taskId } = await tasks.create(alice);
  const unfit = { content: [], at: new Date(0) };
  await expect(taskStore.storeTaskResult(taskId, 'completed', unfit)).rejects.toMatchObject({ code: 'NOT_JSON' });
  await taskStore.storeTaskResult(taskId, 'completed', { content: [] });
  expect(await taskStore.getTask(taskId)).toMatchObject({ status: 'completed' });
});
