import { createMemoryStore } from '@mcp-session/core/memory';
import { ProtocolError } from '@modelcontextprotocol/server';
import { McpError } from '@modelcontextprotocol/sdk/types.js';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createTaskStore, type TaskHandle, type TaskRunner } from '../src/index.ts';
import { backends } from './support/backends.ts';
import { alice, ask, nodes, SOON, statusOf, take, useBackend } from './support/nodes.ts';

/** What JSON cannot hold, two steps down. */
const unfit = { d: new Date(0) as never };
const HELD = 'holds what JSON cannot hold: an object of class Date at d; give its toISOString()';

/** Runs a task to its end. */
async function run(runner: TaskRunner) {
  const { first, second, errors } = await nodes({ runners: { runner } });
  const { taskId } = await first.tasks.create({ ...alice, runner: 'runner' });
  const task = await vi.waitFor(async () => {
    const shown = await second.tasks.get(taskId, alice);
    expect(shown?.status).toMatch(/completed|failed/);
    return shown;
  }, SOON);
  return { task, errors };
}

describe.each(backends)('%s', (...backend) => {
  beforeEach(() => useBackend(backend));

  it.each([
    ['SDK v1', new McpError(-32_602, 'Bad input', { field: 'to' })],
    ['SDK v2', new ProtocolError(-32_602, 'Bad input', { field: 'to' })],
  ])('task rule 6: fail takes an error of %s, as a throw does', async (_, error) => {
    const failed = await run(async (task) => {
      await task.fail(error);
      return {};
    });
    const thrown = await run(async () => {
      throw error;
    });
    const { message } = error;
    expect(failed.task).toMatchObject({
      status: 'failed',
      statusMessage: message,
      error: { code: -32_602, message, data: { field: 'to' } },
    });
    expect(thrown.task?.error).toEqual(failed.task?.error);
    expect([...failed.errors, ...thrown.errors]).toEqual([]);
  });
});

describe('in memory', () => {
  beforeEach(() => useBackend(backends[0]));

  const mistakes: readonly (readonly [message: string, call: (task: TaskHandle) => Promise<unknown>])[] = [
    ['Message of status is a number, not a string', async (task) => task.status(5 as never)],
    ['Message of status is undefined, not a string', async (task) => task.status(undefined as never)],
    [
      'Requests of requireInput are undefined, not an object of requests by key',
      async (task) => task.requireInput(undefined as never),
    ],
    [
      'Requests of requireInput are a string, not an object of requests by key',
      async (task) => task.requireInput('x' as never),
    ],
    [
      'Requests of requireInput are an array, not an object of requests by key',
      async (task) => task.requireInput([ask('Who?')] as never),
    ],
    [
      'Request "a" of requireInput is a number, not an object with a method',
      async (task) => task.requireInput({ name: ask('Who?'), a: 5 }),
    ],
    ['Request "a" of requireInput has no method', async (task) => task.requireInput({ a: { params: {} } })],
    [`Request "a" of requireInput ${HELD}`, async (task) => task.requireInput({ a: { method: 'x', ...unfit } })],
    [`Checkpoint of a task ${HELD}`, async (task) => task.saveCheckpoint(unfit)],
    ['Checkpoint of a task is undefined; give null', async (task) => task.saveCheckpoint(undefined as never)],
    [`Result of a task ${HELD}`, async (task) => task.complete(unfit)],
    ['Result of a task is a string, not an object', async (task) => task.complete('x' as never)],
    [
      'Error of fail is a string, not an error with a whole number as its code',
      async (task) => task.fail('boom' as never),
    ],
    [
      'Error of fail is undefined, not an error with a whole number as its code',
      async (task) => task.fail(undefined as never),
    ],
    [
      "Error of fail has no whole number as its code; throw it to end the task with a tool's error",
      async (task) => task.fail(new Error('boom') as never),
    ],
    ['Error of fail has no message', async (task) => task.fail({ code: 1 } as never)],
    [
      `Error of a task ${HELD.replace('at d', 'at data.d')}`,
      async (task) => task.fail({ code: 1, message: 'No', data: unfit }),
    ],
    [
      'Key "name" of an input request was used before',
      async (task) => {
        void task.requireInput({ name: ask('Who?') });
        return task.requireInput({ name: ask('Who?') });
      },
    ],
  ];

  it.each(mistakes)(
    'task rule 6: a mistake of a runner is the error of a tool, and is reported: %s',
    async (message, call) => {
      const { task, errors } = await run(async (handle) => {
        await call(handle);
        return {};
      });
      // As for anything else that a runner throws.
      expect(task).toMatchObject({
        status: 'completed',
        result: { isError: true, content: [{ type: 'text', text: message }] },
      });
      expect(errors).toEqual([expect.objectContaining({ message })]);
    },
  );

  it.each(mistakes)('a claimed task goes on after a mistake, which its worker gets: %s', async (message, call) => {
    const { first, errors } = await nodes();
    const { taskId } = await first.tasks.create(alice);
    const worker = await take(first.tasks, taskId);
    await expect(call(worker)).rejects.toThrow(message);
    await worker.complete({});
    expect(await statusOf(first.tasks, taskId)).toBe('completed');
    expect(errors).toEqual([]);
  });

  it('task rule 6: what a runner throws of its own is for the client, and is not reported', async () => {
    const { task, errors } = await run(async () => {
      throw new TypeError('The city is unknown');
    });
    expect(task?.result).toMatchObject({ isError: true, content: [{ type: 'text', text: 'The city is unknown' }] });
    expect(errors).toEqual([]);
  });

  it.each([
    ['Result of a task is undefined, not an object', undefined],
    ['Result of a task is an array, not an object', [1]],
    ['Result of a task is what JSON cannot hold: an object of class Map; give Object.fromEntries(map)', new Map()],
    [`Result of a task ${HELD}`, unfit],
  ])(
    'task rule 6: a result that cannot be stored fails the task once, and is reported: %s',
    async (message, result) => {
      const { task, errors } = await run(async () => result as unknown as object);
      expect(task).toMatchObject({
        status: 'failed',
        error: { code: -32_603, message: `Result of the task cannot be stored: ${message}` },
      });
      expect(errors).toEqual([expect.objectContaining({ message })]);
    },
  );

  it('task rule 6: so does a result for which the state of the store has no room', async () => {
    const store = await createMemoryStore({ stateLimits: { maxTotalBytes: 70_000 } });
    onTestFinished(() => store.close());
    const errors: unknown[] = [];
    const runners = { large: async () => ({ text: 'x'.repeat(80_000) }) };
    const tasks = createTaskStore(store, { runners, onError: (error) => void errors.push(error) });
    const { taskId } = await tasks.create({ ...alice, runner: 'large' });
    await vi.waitFor(async () => expect(await statusOf(tasks, taskId)).toBe('failed'), SOON);
    const failed = await tasks.get(taskId, alice);
    expect(failed?.error?.message).toMatch(/^Result of the task cannot be stored: State would exceed the 70000 bytes/);
    expect(errors).toEqual([expect.objectContaining({ code: 'STATE_LIMIT_EXCEEDED' })]);
  });

  it('a context that JSON cannot hold is named when the task is created', async () => {
    const { first, calls } = await nodes();
    await expect(first.tasks.create({ context: unfit })).rejects.toMatchObject({
      code: 'NOT_JSON',
      message: `Context of a task ${HELD}`,
    });
    expect(calls).toEqual([]);
  });
});
