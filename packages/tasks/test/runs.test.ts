import { SessionError } from '@mcp-session/core';
import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createTaskStore, type TaskHandle } from '../src/index.ts';
import { backends } from './support/backends.ts';
import { alice, ask, become, codeOf, nodes, SOON, statusOf, take, useBackend } from './support/nodes.ts';

describe.each(backends)('%s', (...backend) => {
  beforeEach(() => useBackend(backend));

  describe('a runner', () => {
    it('task rule 6: ends the task by its result, by a JSON-RPC error, or by the error of a tool', async () => {
      const { first, second, errors } = await nodes({
        runners: {
          works: async ({ context }) => ({ got: context }),
          refuses: async () => {
            throw Object.assign(new Error('No'), { code: -32_000, data: { why: 'x' } });
          },
          nothing: async () => undefined as unknown as object,
          cycle: async () => {
            const cycle: Record<string, unknown> = {};
            return (cycle['self'] = cycle);
          },
          breaks: async () => {
            throw new Error('Disk is full');
          },
        },
      });
      const done = async (runner: string) => {
        const { taskId } = await first.tasks.create({ ...alice, runner, context: 7 });
        return vi.waitFor(async () => {
          const task = await second.tasks.get(taskId, alice);
          expect(task?.status).not.toBe('working');
          return task;
        }, SOON);
      };
      expect(await done('works')).toMatchObject({ status: 'completed', result: { got: 7 } });
      expect(await done('refuses')).toMatchObject({
        status: 'failed',
        statusMessage: 'No',
        error: { code: -32_000, message: 'No', data: { why: 'x' } },
      });
      expect(await done('breaks')).toMatchObject({
        status: 'completed',
        result: { isError: true, content: [{ type: 'text', text: 'Disk is full' }] },
      });
      for (const runner of ['nothing', 'cycle']) {
        expect(await done(runner)).toMatchObject({ status: 'failed', error: { code: -32_603 } });
      }
      expect(errors.map(String)).toEqual([
        expect.stringMatching(/^TypeError: Result of a task is undefined/),
        expect.stringMatching(/^SessionError: Result of a task holds what JSON cannot hold: a cycle at self/),
      ]);
      await expect(first.tasks.create({ runner: 'none' })).rejects.toThrow('Option runner of create is "none"');
    });
  });

  describe('an interrupted task', () => {
    it('task rules 14 and 15: fails with a clear error when its lease is over, and its late worker changes nothing', async () => {
      const { first, second, clock } = await nodes({ leaseMs: 1_000_000 });
      const { taskId } = await first.tasks.create(alice);
      const worker = await take(first.tasks, taskId);
      clock.now += 999_999;
      expect(await statusOf(second.tasks, taskId)).toBe('working');
      clock.now += 1;
      expect(await second.tasks.get(taskId, alice)).toMatchObject({
        status: 'failed',
        error: { code: -32_603, message: 'Task was interrupted: the process that ran it has ended' },
      });
      expect(await codeOf(worker.complete({ late: true }))).toBe('TASK_LOST');
      expect([worker.signal.aborted, await statusOf(first.tasks, taskId)]).toEqual([true, 'failed']);
    });

    it('task rule 15: that runs again continues from its checkpoint on the node that is asked, with its answers', async () => {
      const seen: unknown[] = [];
      const runners = {
        report: async (task: TaskHandle) => {
          seen.push([task.attempt, task.checkpoint]);
          const { name } = await task.requireInput({ name: ask('Who?') });
          await task.saveCheckpoint({ page: task.attempt });
          const { sure } = await task.requireInput({ sure: ask('Sure?') });
          return { answers: [name, sure] };
        },
      };
      const { first, second, clock } = await nodes({ leaseMs: 1_000_000, onInterrupted: 'run again', runners });
      const { taskId } = await first.tasks.create({ ...alice, runner: 'report' });
      await become(second.tasks, taskId, 'input_required');
      await second.tasks.update(taskId, { name: 'Ada' }, alice);
      await vi.waitFor(
        async () => expect((await second.tasks.get(taskId, alice))?.inputRequests).toEqual({ sure: ask('Sure?') }),
        SOON,
      );
      clock.now += 1_000_000;
      expect(await second.tasks.recover()).toBe(1);
      expect(await second.tasks.recover()).toBe(0);
      await first.tasks.update(taskId, { sure: true, name: 'Eve' }, alice);
      await become(first.tasks, taskId, 'completed');
      expect((await first.tasks.get(taskId, alice))?.result).toEqual({ answers: ['Ada', true] });
      expect(seen).toEqual([
        [1, undefined],
        [2, { page: 1 }],
      ]);
    });

    it('that was released is free at once', async () => {
      const { first, second } = await nodes();
      const { taskId } = await first.tasks.create(alice);
      const worker = await take(first.tasks, taskId);
      await worker.saveCheckpoint('here');
      await worker.release();
      // Refused although nobody else has the task yet: it would be taken again without a heartbeat.
      expect(await codeOf(worker.saveCheckpoint('late'))).toBe('TASK_LOST');
      const next = await take(second.tasks, taskId);
      expect([next.attempt, next.checkpoint, await codeOf(worker.status('late'))]).toEqual([2, 'here', 'TASK_LOST']);
    });
  });
});

describe('in memory', () => {
  beforeEach(() => useBackend(backends[0]));

  it('a heartbeat keeps the lease and is no news', async () => {
    const { first, second, clock, calls } = await nodes({ leaseMs: 30 });
    const { taskId } = await first.tasks.create(alice);
    await take(first.tasks, taskId);
    const before = await second.tasks.get(taskId, alice);
    for (let beat = 0; beat < 5; beat++) {
      clock.now += 15;
      calls.length = 0;
      // The first one may have begun before the clock was turned.
      await vi.waitFor(() => expect(calls.filter((name) => name === 'updateSession').length).toBeGreaterThan(1), SOON);
      expect(await second.tasks.get(taskId, alice)).toEqual(before);
    }
  });

  it('an answer that comes before the worker knows that its question is stored is not lost', async () => {
    const backend = createMemoryBackend();
    const stored = Promise.withResolvers<void>();
    const known = Promise.withResolvers<void>();
    let writes = 0;
    const slow = new Proxy(backend, {
      get: (inner, name, receiver) => {
        const value: unknown = Reflect.get(inner, name, receiver);
        if (typeof value !== 'function') return value;
        if (name !== 'updateSession') return value.bind(inner) as unknown;
        return async (...args: Parameters<typeof inner.updateSession>) => {
          const result = await inner.updateSession(...args);
          // The first write is the claim, the second one the question.
          writes += 1;
          if (writes === 2) {
            stored.resolve();
            await known.promise;
          }
          return result;
        };
      },
    });
    const store = await createSessionStore(slow, { sweep: false });
    onTestFinished(() => store.close());
    const tasks = createTaskStore(store);
    const { taskId } = await tasks.create(alice);
    const worker = await take(tasks, taskId);
    const answers = worker.requireInput({ name: ask('Who?') });
    await stored.promise;
    await tasks.update(taskId, { name: 'Ada' }, alice);
    // Long enough for the tail, which is in the same process.
    await new Promise((resolve) => setTimeout(resolve, 50));
    known.resolve();
    expect(await answers).toEqual({ name: 'Ada' });
  });

  it('the end of a task waits for a store that fails when the work is done, which is reported once a minute', async () => {
    const lines: unknown[][] = [];
    const quiet = (): void => undefined;
    const logger = { debug: quiet, info: quiet, warn: quiet, error: (...line: unknown[]) => void lines.push(line) };
    const store = await createSessionStore(failingAtFirst(createMemoryBackend(), 3), { sweep: false });
    onTestFinished(() => store.close());
    const tasks = createTaskStore(store, { runners: { works: async () => ({ done: true }) }, logger });
    const { taskId } = await tasks.create({ ...alice, runner: 'works' });
    await become(tasks, taskId, 'completed');
    expect(lines).toEqual([[expect.anything(), '@mcp-session/tasks: STORE_UNAVAILABLE (store)']]);
  });

  it('task rule 17: a record that is full can be taken, ended and settled', async () => {
    const { first, second, clock } = await nodes({ leaseMs: 1_000_000 });
    const made: string[] = [];
    for (let size = 259_500; size < 262_300; size += 97) {
      const created = first.tasks.create({ ...alice, context: 'x'.repeat(size) });
      await created.then(
        ({ taskId }) => made.push(taskId),
        (error: unknown) => expect(error).toMatchObject({ code: 'PROFILE_TOO_LARGE' }),
      );
    }
    expect(made.length).toBeGreaterThan(3);
    const [completes, fails, ...others] = await Promise.all(made.map(async (id) => take(first.tasks, id)));
    const full = await codeOf(completes?.saveCheckpoint('x'.repeat(2_000)) ?? Promise.resolve());
    await completes?.status('x'.repeat(3_000));
    await completes?.complete({ text: 'x'.repeat(60_000) });
    await fails?.fail({ code: -32_000, message: 'x'.repeat(100_000), data: 'x'.repeat(100_000) });
    expect([full, others.length]).toEqual(['PROFILE_TOO_LARGE', made.length - 2]);
    clock.now += 1_000_000;
    const ends = await Promise.all(made.map(async (id) => statusOf(second.tasks, id)));
    expect(ends).toEqual(['completed', ...Array<string>(made.length - 1).fill('failed')]);
  });

  it('options are checked where the store is made', async () => {
    const { first } = await nodes();
    // @ts-expect-error: it was not awaited
    expect(() => createTaskStore(Promise.resolve(first.store))).toThrow('is a promise');
    // @ts-expect-error: the name is wrong
    expect(() => createTaskStore(first.store, { heartbeatMs: 1 })).toThrow('did you mean leaseMs?');
    expect(() => createTaskStore(first.store, { onInterrupted: 'retry' as 'fail' })).toThrow(
      "not 'fail' or 'run again'",
    );
    await expect(first.tasks.create({ ttlMs: 0 })).rejects.toThrow('Option ttlMs is 0');
    await expect(first.tasks.create({ context: 'x'.repeat(300_000) })).rejects.toMatchObject({
      code: 'PROFILE_TOO_LARGE',
    });
  });
});

/** A backend whose first writes fail: those of the end of a task. */
function failingAtFirst(backend: SessionBackend, failures: number): SessionBackend {
  let left = failures;
  return new Proxy(backend, {
    get: (inner, name, receiver) => {
      const value: unknown = Reflect.get(inner, name, receiver);
      if (typeof value !== 'function') return value;
      if (name !== 'updateSession') return value.bind(inner) as unknown;
      return async (...args: Parameters<SessionBackend['updateSession']>) => {
        if (left-- > 0) throw new SessionError('STORE_UNAVAILABLE', 'Store is away', { retryable: true });
        return inner.updateSession(...args);
      };
    },
  });
}
