import { createTaskStore } from '@mcp-session/tasks';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { SessionStore } from '@mcp-session/core';
import { type BackendName, openStore } from '../backends.ts';
import { Random } from '../random.ts';
import { openStorage } from '../storage.ts';
import { plantInTasks } from './bugs.ts';
import { taskProblems } from './check.ts';
import { TaskClient } from './client.ts';
import { TaskCrew } from './crew.ts';
import { drained, type DrainTimes } from './drain.ts';
import { readTaskHistories } from './history.ts';

/** How long the tasks may take after the last kill. */
const DRAIN: DrainTimes = { idleMs: 60_000, maxMs: 900_000 };

/** Options of a run of tasks. */
export interface TaskTortureOptions {
  readonly backend: BackendName;
  /** How long tasks are created and processes killed, in milliseconds. */
  readonly ms: number;
  readonly seed: string;
  /** How many tasks are created. Default: `1_000`. */
  readonly tasks?: number;
  /** Processes that run tasks. Default: `4`. */
  readonly workers?: number;
  /** Lease of a worker, in milliseconds. Default: `1_000`. */
  readonly leaseMs?: number;
  readonly bug?: string | undefined;
  readonly url?: string | undefined;
}

/** The result of a run of tasks. */
export interface TaskTortureReport {
  readonly tasks: number;
  readonly kills: number;
  readonly freezes: number;
  /** How often a worker began a task. */
  readonly began: number;
  /** Tasks that more than one worker had. */
  readonly continued: number;
  readonly cancelled: number;
  readonly problems: readonly string[];
  /** Folder of the histories, if there are problems. */
  readonly folder: string | undefined;
}

/** Lets processes run tasks, kills and freezes them, and checks what becomes of the tasks. */
export async function tortureTasks(options: TaskTortureOptions): Promise<TaskTortureReport> {
  const storage = await openStorage(options.backend, options.url);
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-torture-tasks-'));
  const store = await openStore(storage.address);
  const { leaseMs = 1_000, bug } = options;
  const tasks = createTaskStore(plantInTasks(store, bug));
  const client = new TaskClient(tasks, new Random(`${options.seed} client`));
  const stop = new AbortController();
  const follow = (id: string): void => void client.follow(id, stop.signal);
  const crew = new TaskCrew({ address: storage.address, leaseMs, bug }, folder, follow);
  try {
    const harm = await work(crew, client, options);
    // Tasks whose creation no process has acknowledged are stored or not; a stored one must end.
    for (const id of await listTasks(store)) follow(id);
    await drained(client, DRAIN);
    stop.abort();
    await crew.kill();
    await client.compare(tasks);
    return reportOf(crew, client, harm, folder);
  } finally {
    stop.abort();
    await crew.kill();
    await store.close();
    await storage.dispose();
  }
}

interface Harm {
  kills: number;
  freezes: number;
}

async function work(
  crew: TaskCrew,
  client: TaskClient,
  { ms, seed, tasks = 1_000, workers = 4, leaseMs = 1_000 }: TaskTortureOptions,
) {
  const random = new Random(`${seed} harm`);
  await Promise.all(Array.from({ length: workers }, async (_, slot) => crew.begin(slot)));
  const end = performance.now() + ms;
  const harm: Harm = { kills: 0, freezes: 0 };
  const create = async (): Promise<void> => {
    for (let number = 0; number < tasks; number++) {
      crew.create(random.whole(0, workers - 1), number);
      await pause(Math.max(0, end - performance.now()) / (tasks - number));
    }
  };
  const hurt = async (): Promise<void> => {
    for (;;) {
      await pause(random.whole(leaseMs / 2, 2 * leaseMs));
      // A node that is killed before it has begun a task leaves none to the others.
      while (harm.kills === 0 && client.unfinished.length < 2 * workers && performance.now() < end) await pause(10);
      if (harm.kills > 0 && performance.now() > end) return;
      const slot = random.whole(0, workers - 1);
      // Each at least once, also in a short run.
      if (harm.kills === 0 || (harm.freezes > 0 && random.chance(0.6))) {
        await crew.replace(slot);
        harm.kills += 1;
      } else {
        // Long enough for others to take its tasks.
        await crew.freeze(slot, random.whole(leaseMs, 3 * leaseMs));
        harm.freezes += 1;
      }
    }
  };
  await Promise.all([create(), hurt()]);
  return harm;
}

async function listTasks(store: SessionStore): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await store.ofKind('task').list({ limit: 200, ...(cursor !== undefined && { cursor }) });
    ids.push(...page.sessions.map(({ id }) => id));
    if (page.nextCursor === undefined) return ids;
    cursor = page.nextCursor;
  }
}

function reportOf(crew: TaskCrew, client: TaskClient, harm: Harm, folder: string): TaskTortureReport {
  const lines = readTaskHistories(crew.histories);
  const began = lines.filter(({ kind }) => kind === 'began');
  const workers = Map.groupBy(began, ({ id }) => id);
  const problems = [...crew.problems, ...client.problems, ...taskProblems(client.known, lines)];
  if (problems.length === 0) rmSync(folder, { recursive: true });
  return {
    ...harm,
    tasks: client.known.size,
    began: began.length,
    continued: [...workers.values()].filter((all) => all.length > 1).length,
    cancelled: [...client.known.values()].filter(({ final }) => final?.status === 'cancelled').length,
    problems,
    folder: problems.length > 0 ? folder : undefined,
  };
}
