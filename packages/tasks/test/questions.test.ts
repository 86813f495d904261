import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { TaskHandle } from '../src/index.ts';
import { backends } from './support/backends.ts';
import { alice, ask, become, codeOf, nodes, SOON, take, useBackend } from './support/nodes.ts';

describe.each(backends)('%s', (...backend) => {
  beforeEach(() => useBackend(backend));

  it('task rule 7: a key stands for one request, also for the next worker', async () => {
    const { first, second } = await nodes();
    const { taskId } = await first.tasks.create(alice);
    const former = await take(first.tasks, taskId);
    const lost = codeOf(former.requireInput({ name: ask('Who?') }));
    await become(second.tasks, taskId, 'input_required');
    await former.release();
    const worker = await take(second.tasks, taskId);
    const answers = worker.requireInput({ name: ask('What is your name?'), age: ask('How old?') });
    await vi.waitFor(
      async () => expect((await first.tasks.get(taskId, alice))?.inputRequests).toHaveProperty('age'),
      SOON,
    );
    expect((await first.tasks.get(taskId, alice))?.inputRequests).toEqual({ name: ask('Who?'), age: ask('How old?') });
    await first.tasks.update(taskId, { name: 'Ada', age: 36 }, alice);
    expect(await answers).toEqual({ name: 'Ada', age: 36 });
    expect(await lost).toBe('TASK_LOST');
  });

  it('task rule 7: a run after the death of a worker asks what is not answered, and shows no answered key', async () => {
    const runners = {
      report: async (task: TaskHandle) => {
        const late = task.attempt > 1 && { late: ask('Late?') };
        return task.requireInput({ name: ask('Who?'), sure: ask(`Sure, ${task.attempt}?`), ...late });
      },
    };
    const { first, second, clock } = await nodes({ leaseMs: 1_000_000, onInterrupted: 'run again', runners });
    const { taskId } = await first.tasks.create({ ...alice, runner: 'report' });
    const open = async () => (await second.tasks.get(taskId, alice))?.inputRequests ?? {};
    await vi.waitFor(async () => expect(Object.keys(await open())).toEqual(['name', 'sure']), SOON);
    await second.tasks.update(taskId, { name: 'Ada' }, alice);
    // As it is stored: the worker has taken the answer.
    const stored = async () => (await second.store.ofKind('task').get(taskId, alice))?.metadata;
    await vi.waitFor(async () => expect(await stored()).toMatchObject({ answers: { name: 'Ada' } }), SOON);

    clock.now += 1_000_000;
    expect(await second.tasks.recover()).toBe(1);
    await vi.waitFor(async () => expect(await open()).toHaveProperty('late'), SOON);
    expect(await open()).toEqual({ sure: ask('Sure, 1?'), late: ask('Late?') });
    await first.tasks.update(taskId, { sure: true, late: 1, name: 'Eve' }, alice);
    await become(first.tasks, taskId, 'completed');
    expect((await first.tasks.get(taskId, alice))?.result).toEqual({ name: 'Ada', sure: true, late: 1 });
  });

  it('task rule 7: an answered key resolves at once for the next worker, and is never outstanding again', async () => {
    const { first, second } = await nodes();
    const { taskId } = await first.tasks.create(alice);
    const former = await take(first.tasks, taskId);
    const answers = former.requireInput({ name: ask('Who?') });
    await become(second.tasks, taskId, 'input_required');
    await second.tasks.update(taskId, { name: 'Ada' }, alice);
    expect(await answers).toEqual({ name: 'Ada' });
    await former.release();
    const worker = await take(second.tasks, taskId);
    expect(await worker.requireInput({ name: ask('Who?') })).toEqual({ name: 'Ada' });
    expect(await first.tasks.get(taskId, alice)).not.toHaveProperty('inputRequests');
    expect((await first.tasks.get(taskId, alice))?.status).toBe('working');
  });

  it('task rule 17: what waits for a worker that is not there counts: the same answer is stored once, and no more than has room', async () => {
    const { first, second } = await nodes();
    const { taskId } = await first.tasks.create(alice);
    const former = await take(first.tasks, taskId);
    const lost = codeOf(former.requireInput({ name: ask('Who?'), age: ask('How old?') }));
    await become(second.tasks, taskId, 'input_required');
    await former.release();
    expect(await lost).toBe('TASK_LOST');

    const logged = async () => (await second.store.ofKind('task').get(taskId, alice))?.lastSeq ?? 0;
    const before = await logged();
    const name = 'x'.repeat(100_000);
    for (let turn = 0; turn < 5; turn++) {
      expect(await (turn % 2 === 0 ? first : second).tasks.update(taskId, { name }, alice)).toBe(true);
    }
    expect(await logged()).toBe(before + 1);
    expect(await codeOf(second.tasks.update(taskId, { age: 'x'.repeat(50_000) }, alice))).toBe('INPUT_REFUSED');
    expect(await codeOf(second.tasks.update(taskId, { name, age: 36 }, alice))).toBe('resolved');
    expect(await logged()).toBe(before + 2);

    const worker = await take(second.tasks, taskId);
    expect(await worker.requireInput({ name: ask('Who?'), age: ask('How old?') })).toEqual({ name, age: 36 });
  });

  it('task rule 17: no more than 1,000 answers and cancellations wait for a worker', async () => {
    const { first, second } = await nodes({ leaseMs: 1_000_000 });
    const { taskId } = await first.tasks.create(alice);
    const worker = await take(first.tasks, taskId);
    worker.requireInput({ name: ask('Who?') }).catch(() => undefined);
    await become(second.tasks, taskId, 'input_required');
    // Its worker takes nothing any more, and its lease still lasts.
    (worker as TaskHandle & { abandon(): void }).abandon();
    const cancels = Array.from({ length: 1_000 }, async () => second.tasks.cancel(taskId, alice));
    await Promise.all(cancels);
    const refused = await second.tasks.update(taskId, { name: 'Ada' }, alice).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'INPUT_REFUSED',
      message: 'Answers are refused: too many wait for the worker of the task',
    });
  });
});
