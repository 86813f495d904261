import { SessionError } from '@mcp-session/core';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createTaskStore, type TaskHandle, type TaskRunner, type TaskStore } from '../src/index.ts';
import { backends } from './support/backends.ts';
import { failing, type Failing } from './support/failing.ts';
import { alice, ask, become, codeOf, nodes, SOON, statusOf, take, useBackend } from './support/nodes.ts';

const LEASE_MS = 1_000_000;

/** Two nodes, of which the first one's writes fail as the test says. */
async function start(report: TaskRunner) {
  const given = { leaseMs: LEASE_MS, onInterrupted: 'run again', runners: { report } } as const;
  const { first, second, clock, errors } = await nodes(given);
  const how: Failing = { left: 0 };
  const onError = (error: unknown): void => void errors.push(error);
  const tasks: TaskStore = createTaskStore(failing(first.store, how), { ...given, clock: () => clock.now, onError });
  return { tasks, other: second.tasks, how, clock, errors };
}

const codes = (errors: readonly unknown[]): unknown[] => errors.map((error) => (error as SessionError).code);

describe.each(backends)('%s', (...backend) => {
  beforeEach(() => useBackend(backend));

  it('task rule 34: a worker goes on when the store has failed for a while, whether its write was stored or not', async () => {
    const writes: Promise<void>[] = [];
    const { tasks, other, how, errors } = await start(async (task) => {
      Object.assign(how, { left: 2, stored: false });
      // They are made in this order.
      writes.push(task.status('one'), task.status('two'), task.saveCheckpoint(1));
      await task.saveCheckpoint(2);
      Object.assign(how, { left: 1, stored: true });
      const answers = await task.requireInput({ name: ask('Who?') });
      Object.assign(how, { left: 1, stored: true });
      await task.saveCheckpoint(3);
      Object.assign(how, { left: 1, stored: false });
      return { answers, checkpoint: task.checkpoint };
    });
    const { taskId } = await tasks.create({ ...alice, runner: 'report' });
    await become(other, taskId, 'input_required');
    expect(await other.get(taskId, alice)).toMatchObject({ statusMessage: 'two' });
    await other.update(taskId, { name: 'Ada' }, alice);
    await become(other, taskId, 'completed');
    await Promise.all(writes);
    expect((await other.get(taskId, alice))?.result).toEqual({ answers: { name: 'Ada' }, checkpoint: 3 });
    // Each write that waits is reported once.
    expect(codes(errors)).toEqual(Array(4).fill('STORE_UNAVAILABLE'));
  });

  it('task rule 34: a worker whose store fails for longer than its lease loses the task, which goes on from its checkpoint', async () => {
    const seen: unknown[] = [];
    const { tasks, other, how, clock } = await start(async (task: TaskHandle) => {
      seen.push([task.attempt, task.checkpoint]);
      if (task.attempt > 1) return { attempt: task.attempt };
      await task.saveCheckpoint('here');
      how.left = Infinity;
      seen.push(await codeOf(task.saveCheckpoint('lost')));
      throw new Error('Its worker goes on without the task');
    });
    const { taskId } = await tasks.create({ ...alice, runner: 'report' });
    await vi.waitFor(() => expect(how.left).toBe(Infinity), SOON);
    clock.now += LEASE_MS;
    expect(await other.recover()).toBe(1);
    await become(other, taskId, 'completed');
    how.left = 0;
    await vi.waitFor(() => expect(seen).toHaveLength(3), SOON);
    expect(seen).toEqual([[1, undefined], [2, 'here'], 'TASK_LOST']);
    expect((await other.get(taskId, alice))?.result).toEqual({ attempt: 2 });
  });
});

describe('in memory', () => {
  beforeEach(() => useBackend(backends[0]));

  it('task rule 34: a worker that waits for the store stops waiting when its client cancels', async () => {
    const seen: unknown[] = [];
    const { tasks, other, how } = await start(async (task) => {
      how.left = Infinity;
      const code = await codeOf(task.saveCheckpoint(1));
      seen.push(code);
      throw new Error(String(code));
    });
    const { taskId } = await tasks.create({ ...alice, runner: 'report' });
    await vi.waitFor(() => expect(how.left).toBe(Infinity), SOON);
    await other.cancel(taskId, alice);
    await vi.waitFor(() => expect(seen).toEqual(['TASK_CANCELLED']), SOON);
    expect(await statusOf(other, taskId)).toBe('working');
    how.left = 0;
    await become(other, taskId, 'cancelled');
  });

  it('task rule 34: a runner whose release fails still ends its task', async () => {
    const { tasks, other, how } = await start(async (task) => {
      how.left = 1;
      await task.release();
      return {};
    });
    const { taskId } = await tasks.create({ ...alice, runner: 'report' });
    await become(other, taskId, 'completed');
    expect(await other.get(taskId, alice)).toMatchObject({ result: { isError: true } });
  });

  it('task rule 34: release does not wait for a store that is away, and neither do the writes before it', async () => {
    const { tasks, how } = await start(async () => ({}));
    const { taskId } = await tasks.create(alice);
    const worker = await take(tasks, taskId);
    how.left = Infinity;
    const writes = [worker.status('one'), worker.saveCheckpoint(1), worker.release()].map(codeOf);
    expect(await Promise.all(writes)).toEqual(Array(3).fill('STORE_UNAVAILABLE'));
    how.left = 0;
  });

  it('task rule 34: no worker waits for a failure that does not pass', async () => {
    const { tasks, other, how } = await start(async () => ({}));
    const { taskId } = await tasks.create(alice);
    const worker = await take(tasks, taskId);
    Object.assign(how, { left: Infinity });
    const saved = codeOf(worker.saveCheckpoint(1));
    await vi.waitFor(() => expect(how.left).toBe(Infinity), SOON);
    how.error = new SessionError('STORE_CLOSED', 'Session store is closed');
    expect(await saved).toBe('STORE_CLOSED');
    how.left = 0;
    await worker.saveCheckpoint(2);
    await worker.complete({});
    expect(await statusOf(other, taskId)).toBe('completed');
  });
});
