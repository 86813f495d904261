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
    node.kill('SIGKILL');
    await once(node, 'exit');
    const store = await createSqliteStore({ path });
    onTestFinished(() => store.close());
    let ahead = 0;
    const tasks = createTaskStore(store, {
      leaseMs: LEASE_MS,
      clock: () => Date.now() + ahead,
      runners: { count: counting(store) },
    });
    expect((await tasks.get(taskId))?.status).toBe('working');
    const steps = async (): Promise<unknown> => store.forPrincipal('the log').state.get('steps');
    const before = Array.from({ length: 6 }, (_, step) => [1, step]);
    expect(await steps()).toEqual(before);

    ahead = LEASE_MS;
    const ended = await vi.waitFor(
      async () => {
        const task = await tasks.get(taskId);
        expect(task?.status).not.toBe('working');
        return task;
      },
      { timeout: 15_000, interval: 20 },
    );
    if (onInterrupted === 'fail') {
      expect(ended).toMatchObject({ status: 'failed', error: { code: -32_603 } });
      expect(await steps()).toEqual(before);
      return;
    }
    expect(ended).toMatchObject({ status: 'completed', result: { counted: STEPS, attempt: 2 } });
    // The step in whose middle the node was killed is taken twice, and no other one.
    const after = Array.from({ length: STEPS - 5 }, (_, n) => [2, 5 + n]);
    expect(await steps()).toEqual([...before, ...after]);
  },
);
