import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { TaskHandle } from '../src/index.ts';
import { backends } from './support/backends.ts';
import { alice, ask, become, codeOf, nodes, SOON, statusOf, take, useBackend } from './support/nodes.ts';

describe.each(backends)('%s', (...backend) => {
  beforeEach(() => useBackend(backend));

  describe('a task', () => {
    it('task rules 3 and 4: is found on every node when it is created, by its owner alone, until its time is over', async () => {
      const { first, second, clock } = await nodes();
      const task = await first.tasks.create({ ...alice, ttlMs: 10_000, pollIntervalMs: 50 });
      expect(task).toEqual({
        taskId: expect.stringMatching(/^task_[A-Za-z0-9_-]{22}$/) as string,
        status: 'working',
        createdAt: '2100-01-01T00:00:00.000Z',
        lastUpdatedAt: '2100-01-01T00:00:00.000Z',
        ttlMs: 10_000,
        pollIntervalMs: 50,
      });
      expect(await second.tasks.get(task.taskId, alice)).toEqual(task);
      clock.now += 9_999;
      expect(await second.tasks.get(task.taskId, alice)).toEqual(task);
      clock.now += 1;
      expect(await second.tasks.get(task.taskId, alice)).toBeUndefined();
      const forever = await first.tasks.create({ ttlMs: null });
      clock.now += 50 * 365 * 86_400_000;
      expect(await second.tasks.get(forever.taskId)).toEqual(forever);
    });

    it('task rule 16: costs one read to ask for, one read and one write to answer or to cancel', async () => {
      const { first, second, clock } = await nodes({ leaseMs: 1_000_000 });
      const { calls } = second;
      const { taskId } = await first.tasks.create(alice);
      expect(first.calls.splice(0)).toEqual(['createSession']);
      clock.now += 3_600_000;
      await second.tasks.get(taskId, alice);
      expect(calls.splice(0)).toEqual(['readSession']);
      const worker = await take(first.tasks, taskId);
      const answer = worker.requireInput({ name: ask('Who?') });
      await become(second.tasks, taskId, 'input_required');
      calls.length = 0;
      // In memory, the worker's calls are among them: it writes its status, and its tail reads.
      const made = (...also: string[]) =>
        calls.splice(0).filter((name) => ['readSession', 'appendEvents', ...also].includes(name));
      await second.tasks.update(taskId, { other: 1 }, alice);
      expect(made()).toEqual(['readSession']);
      await second.tasks.update(taskId, { name: 'Ada' }, alice);
      expect(made()).toEqual(['readSession', 'appendEvents']);
      await answer;
      await second.tasks.cancel(taskId, alice);
      expect(made()).toEqual(['readSession', 'appendEvents']);
      await worker.complete({});
      await second.tasks.cancel(taskId, alice);
      expect(made()).toEqual(['readSession']);
      const other = await first.tasks.create(alice);
      calls.length = 0;
      await second.tasks.cancel(other.taskId, alice);
      expect(made('updateSession')).toEqual(['readSession', 'updateSession']);
      await second.tasks.cancel(other.taskId, alice);
      expect(made('updateSession')).toEqual(['readSession']);
    });

    it('task rule 8: shows no request that was answered, although its worker has not taken the answer', async () => {
      const { first, second } = await nodes({ leaseMs: 1_000_000 });
      const { calls } = second;
      const { taskId } = await first.tasks.create(alice);
      const worker = await take(first.tasks, taskId);
      const answers = worker.requireInput({ name: ask('Who?'), age: ask('How old?') });
      answers.catch(() => undefined);
      await become(second.tasks, taskId, 'input_required');
      // Its worker takes nothing any more, and its lease still lasts.
      (worker as TaskHandle & { abandon(): void }).abandon();
      calls.length = 0;
      await second.tasks.update(taskId, { name: 'Ada' }, alice);
      await second.tasks.update(taskId, { name: 'Eve' }, alice);
      calls.length = 0;
      expect(await second.tasks.get(taskId, alice)).toMatchObject({
        status: 'input_required',
        inputRequests: { age: ask('How old?') },
      });
      expect(Object.keys((await second.tasks.get(taskId, alice))?.inputRequests ?? {})).toEqual(['age']);
      expect(calls).toEqual(['readSession', 'readEvents', 'readSession', 'readEvents']);
      await second.tasks.update(taskId, { age: 36 }, alice);
      expect(await statusOf(second.tasks, taskId)).toBe('working');
    });

    it('task rule 16: costs nothing of its own while its worker waits for an answer', async () => {
      const { first, calls } = await nodes({ leaseMs: 1_000_000 });
      const waiting = Array.from({ length: 10 }, async () => {
        const { taskId } = await first.tasks.create(alice);
        const worker = await take(first.tasks, taskId);
        void worker.requireInput({ name: ask('Who?') }).catch(() => undefined);
        await become(first.tasks, taskId, 'input_required');
      });
      await Promise.all(waiting);
      // Each tail reads its log when it begins. A backend without wake-ups then asks for the heads
      // of all sessions in one call.
      await vi.waitFor(async () => {
        calls.length = 0;
        await new Promise((resolve) => setTimeout(resolve, 300));
        expect(calls.filter((name) => name !== 'readHeads')).toEqual([]);
      }, SOON);
    });

    it('task rule 10: is the same to a stranger as one that never was, whatever the id', async () => {
      const { first, calls } = await nodes();
      const { taskId } = await first.tasks.create(alice);
      const session = await first.store.create();
      const ids: unknown[] = [
        taskId,
        taskId.slice(0, -1),
        `${taskId}A`,
        taskId.toUpperCase(),
        session.id,
        '',
        'task_?',
        '__proto__',
        '\0',
        'x'.repeat(10_000_000),
        null,
        7,
        {},
      ];
      calls.length = 0;
      for (const id of ids as string[]) {
        for (const access of [{}, { principal: 'bob' }]) {
          expect(await first.tasks.get(id, access)).toBeUndefined();
          expect(await first.tasks.update(id, { a: 1 }, access)).toBe(false);
          expect(await first.tasks.cancel(id, access)).toBe(false);
          expect(await first.tasks.claim(id, access)).toBeUndefined();
          expect(calls.splice(0)).toEqual(Array(4).fill('readSession'));
        }
      }
      expect(await statusOf(first.tasks, taskId)).toBe('working');
    });
  });

  describe('a worker', () => {
    it('task rules 5 and 14: alone has the task, says what it does, and ends it once and for all', async () => {
      const { first, second, clock } = await nodes();
      const { taskId } = await first.tasks.create({ ...alice, context: { to: 'all' } });
      const claims = await Promise.all(
        [first, second, first, second].map(async ({ tasks }) => tasks.claim(taskId, alice)),
      );
      const [worker, ...others] = claims.filter((each) => each !== undefined);
      if (worker === undefined) throw new Error('One has it');
      expect([others, worker.attempt, worker.context, worker.principal]).toEqual([[], 1, { to: 'all' }, 'alice']);
      clock.now += 1_000;
      await worker.status('half of it');
      expect(await second.tasks.get(taskId, alice)).toMatchObject({
        status: 'working',
        statusMessage: 'half of it',
        lastUpdatedAt: '2100-01-01T00:00:01.000Z',
      });
      await worker.complete({ content: [], isError: true });
      expect(await second.tasks.get(taskId, alice)).toMatchObject({
        status: 'completed',
        result: { content: [], isError: true },
      });
      const late = [
        worker.status('more'),
        worker.complete({}),
        worker.fail({ code: 1, message: 'x' }),
        worker.cancelled(),
        worker.saveCheckpoint(1),
        worker.requireInput({ a: ask('?') }),
      ];
      expect(await Promise.all(late.map(codeOf))).toEqual(Array(6).fill('TASK_LOST'));
      await worker.release();
      await second.tasks.cancel(taskId, alice);
      expect(await second.tasks.claim(taskId, alice)).toBeUndefined();
      expect(await statusOf(second.tasks, taskId)).toBe('completed');
    });

    it('task rule 8: gets each answer once, from any node: a part, the first, and none that was not asked for', async () => {
      const { first, second } = await nodes();
      const { taskId } = await first.tasks.create(alice);
      const worker = await take(first.tasks, taskId);
      await second.tasks.update(taskId, { name: 'too early' }, alice);
      const answers = worker.requireInput({ name: ask('Who?'), age: ask('How old?') });
      await become(second.tasks, taskId, 'input_required');
      expect((await second.tasks.get(taskId, alice))?.inputRequests).toEqual({
        name: ask('Who?'),
        age: ask('How old?'),
      });
      await second.tasks.update(taskId, { name: 'Ada', other: 'x' }, alice);
      await vi.waitFor(
        async () => expect((await second.tasks.get(taskId, alice))?.inputRequests).toEqual({ age: ask('How old?') }),
        SOON,
      );
      await Promise.all([
        second.tasks.update(taskId, { name: 'Eve', age: 36 }, alice),
        first.tasks.update(taskId, { age: 37 }, { principal: 'bob' }),
      ]);
      expect(await answers).toEqual({ name: 'Ada', age: 36 });
      expect(await second.tasks.get(taskId, alice)).not.toHaveProperty('inputRequests');
      expect(await statusOf(second.tasks, taskId)).toBe('working');
      await expect(worker.requireInput({ name: ask('Again?') })).rejects.toThrow('was used before');
    });

    it('task rule 9: is stopped by a cancel on any node, and says when it has stopped', async () => {
      const { first, second } = await nodes({
        runners: { wait: async (task) => task.requireInput({ a: ask('?') }) },
      });
      const { taskId } = await first.tasks.create({ ...alice, runner: 'wait' });
      await become(second.tasks, taskId, 'input_required');
      expect(await second.tasks.cancel(taskId, { principal: 'bob' })).toBe(false);
      expect(await second.tasks.cancel(taskId, alice)).toBe(true);
      await become(second.tasks, taskId, 'cancelled');
      expect(await second.tasks.cancel(taskId, alice)).toBe(true);

      const free = await first.tasks.create(alice);
      await second.tasks.cancel(free.taskId, alice);
      expect([await statusOf(first.tasks, free.taskId), await first.tasks.claim(free.taskId, alice)]).toEqual([
        'cancelled',
        undefined,
      ]);
    });

    it('with a large result stores it once, and everyone reads it', async () => {
      const { first, second } = await nodes();
      const { taskId } = await first.tasks.create(alice);
      const result = { text: 'x'.repeat(500_000) };
      await (await take(first.tasks, taskId)).complete(result);
      expect((await second.tasks.get(taskId, alice))?.result).toEqual(result);
    });
  });
});
