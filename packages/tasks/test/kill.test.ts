import { createSqliteStore } from '@mcp-session/sqlite';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createTaskStore } from '../src/index.ts';
import { counting, LEASE_MS, STEPS } from './support/counting.ts';

it.each(['run again', 'fail'] as const)(
  'a task whose process is killed: on another node it does what its creator chose: %s',
  { timeout: 30_000 },
  async (onInterrupted) => {
    const folder = await mkdtemp(join(tmpdir(), 'mcp-session-tasks-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const path = join(folder, 'sessions.db');
    const node = fork(fileURLToPath(new URL('./support/worker-node.ts', import.meta.url)), [path, onInterrupted], {
      execArgv: ['--conditions=@mcp-session/source', '--no-warnings'],
    });
    onTestFinished(() => void node.kill('SIGKILL'));
    const [taskId] = (await once(node, 'message')) as [string];
    const store = await createSqliteStore({ path });
    onTestFinished(() => store.close());
    const tasks = createTaskStore(store, { leaseMs: LEASE_MS, runners: { count: counting(store) } });
    const steps = async () =>
      (await store.forPrincipal('the log').state.get('steps')) as [number, number][] | undefined;
    await vi.waitFor(async () => expect((await steps())?.length).toBeGreaterThan(3), { timeout: 10_000, interval: 5 });
    node.kill('SIGKILL');
    await once(node, 'exit');

    const ended = await vi.waitFor(
      async () => {
        const task = await tasks.get(taskId);
        expect(task?.status).not.toBe('working');
        return task;
      },
      { timeout: 15_000, interval: 20 },
    );
    const taken = (await steps()) ?? [];
    if (onInterrupted === 'fail') {
      expect(ended).toMatchObject({ status: 'failed', error: { code: -32_603 } });
      expect(new Set(taken.map(([attempt]) => attempt))).toEqual(new Set([1]));
      return;
    }
    // A machine that stalls for longer than a lease interrupts the task once more.
    const attempts = taken.map(([attempt]) => attempt);
    const last = attempts.at(-1) ?? 0;
    expect(last).toBeGreaterThan(1);
    expect(ended).toMatchObject({ status: 'completed', result: { counted: STEPS, attempt: last } });
    expect(new Set(taken.map(([, step]) => step)).size).toBe(STEPS);
    // Each interruption takes at most one step twice: the one that was being taken.
    expect(taken.length).toBeLessThan(STEPS + last);
    expect(attempts).toEqual(attempts.toSorted((a, b) => a - b));
  },
);
