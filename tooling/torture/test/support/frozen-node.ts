import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { createSqliteBackend } from '@mcp-session/sqlite';
import { createTaskStore, type TaskStore } from '@mcp-session/tasks';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '../../src/lib/random.ts';
import { plantInTasks } from '../../src/lib/tasks/bugs.ts';
import { taskProblems } from '../../src/lib/tasks/check.ts';
import { TaskClient } from '../../src/lib/tasks/client.ts';
import { readTaskHistories, TaskHistory } from '../../src/lib/tasks/history.ts';
import { recordedRunner } from '../../src/lib/tasks/runner.ts';

const TASKS = 4;
const LEASE_MS = 300;
/**
 * How long the tasks may take after the node was frozen, in milliseconds. With a bug, some never
 * end.
 */
const DRAIN_MS = 15_000;
const DRAIN_WITH_BUG_MS = 4_000;

/**
 * Three nodes in this process, and what a run of processes finds in seconds: one node begins tasks
 * and is frozen, the two others take its tasks at the same time, and it wakes up late.
 */
export async function problemsOfFrozenNode(bug: string | undefined): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-torture-tasks-'));
  const history = join(folder, 'history.jsonl');
  const closing: (() => Promise<void>)[] = [];
  const { promise: thawed, resolve: thaw } = Promise.withResolvers<void>();
  let gate = Promise.resolve();
  const open = async (runs: boolean, freezes = false): Promise<TaskStore> => {
    const backend = await createSqliteBackend({ path: join(folder, 'sessions.db'), synchronous: 'normal' });
    const store = await createSessionStore(freezes ? freezable(backend, () => gate) : backend, { sweep: false });
    closing.push(() => store.close());
    return createTaskStore(plantInTasks(store, bug), {
      ...(runs && { runners: { work: recordedRunner(new TaskHistory(history)) } }),
      onInterrupted: 'run again',
      leaseMs: LEASE_MS,
      onError: () => undefined,
    });
  };
  const [first, second, third] = [await open(true, true), await open(true), await open(true)];
  const tasks = await open(false);
  const client = new TaskClient(tasks, new Random(`frozen ${String(bug)}`));
  const stop = new AbortController();
  try {
    const created = await Promise.all(Array.from({ length: TASKS }, async () => first.create({ runner: 'work' })));
    const followed = created.map(async ({ taskId }) => client.follow(taskId, stop.signal));
    gate = thawed;
    for (let turn = 0; turn < 4; turn++) {
      await pause(LEASE_MS / 2);
      await Promise.all([second.recover(), third.recover()]);
    }
    thaw();
    const drainMs = bug === undefined ? DRAIN_MS : DRAIN_WITH_BUG_MS;
    await Promise.race([Promise.all(followed), pause(drainMs, undefined, { signal: stop.signal })]);
    stop.abort();
    await client.compare(tasks);
    return [...client.problems, ...taskProblems(client.known, readTaskHistories([history]))];
  } finally {
    stop.abort();
    thaw();
    await Promise.all(closing.map(async (close) => close()));
    rmSync(folder, { recursive: true });
  }
}

/** The backend, whose calls wait at a gate. */
function freezable(backend: SessionBackend, gate: () => Promise<void>): SessionBackend {
  return new Proxy(backend, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      const call = value.bind(target) as (...given: unknown[]) => unknown;
      if (!FROZEN.has(key)) return call;
      return async (...given: unknown[]) => {
        await gate();
        return call(...given);
      };
    },
  });
}

const FROZEN: ReadonlySet<PropertyKey> = new Set([
  'createSession',
  'readSession',
  'updateSession',
  'appendEvents',
  'readEvents',
]);
