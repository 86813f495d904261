import type { Task, TaskStore } from '@mcp-session/tasks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../random.ts';

/** How often the client asks, in milliseconds. */
const POLL_MS = 150;

/** What the client knows of a task. */
export interface Known {
  /** The answers that it gave, by key. */
  readonly given: Map<string, string[]>;
  /** The keys of which an answer was acknowledged. */
  readonly answered: Set<string>;
  cancelled: boolean;
  /** The task as it was when it was final for the first time. */
  final: Task | undefined;
}

/** Answers and cancels tasks, in a process that runs none, and sends each answer once. */
export class TaskClient {
  readonly known: Map<string, Known> = new Map();
  readonly problems: string[] = [];
  readonly #tasks: TaskStore;
  readonly #random: Random;
  #answers = 0;

  constructor(tasks: TaskStore, random: Random) {
    this.#tasks = tasks;
    this.#random = random;
  }

  get unfinished(): string[] {
    return [...this.known].filter(([, { final }]) => final === undefined).map(([id]) => id);
  }

  /** Goes with a task to its end. */
  async follow(id: string, signal: AbortSignal): Promise<void> {
    if (this.known.has(id)) return;
    const known: Known = {
      given: new Map(),
      answered: new Set(),
      cancelled: this.#random.chance(0.05),
      final: undefined,
    };
    this.known.set(id, known);
    while (!signal.aborted && known.final === undefined) {
      await pause(this.#random.whole(1, 2 * POLL_MS), undefined, { signal }).catch(() => undefined);
      // The store may be busy. The client tries again.
      await this.#look(id, known).catch(() => undefined);
    }
  }

  async #look(id: string, known: Known): Promise<void> {
    const task = await this.#tasks.get(id);
    if (task === undefined) {
      this.problems.push(`${id} was acknowledged and is not found`);
      known.final = { taskId: id } as Task;
      return;
    }
    if (task.status !== 'working' && task.status !== 'input_required') known.final = task;
    else if (known.cancelled && this.#random.chance(0.3)) await this.#tasks.cancel(id);
    for (const key of Object.keys(task.inputRequests ?? {})) {
      if (!known.answered.has(key)) await this.#answer(id, key, known);
    }
  }

  /** Gives two answers at the same time, of which one counts. */
  async #answer(id: string, key: string, { given, answered }: Known): Promise<void> {
    const answers = [1, 2].map(() => `${key} answer ${++this.#answers}`);
    // What fails may be stored nevertheless.
    given.set(key, [...(given.get(key) ?? []), ...answers]);
    const done = await Promise.allSettled(answers.map((answer) => this.#tasks.update(id, { [key]: { answer } })));
    if (done.some(({ status }) => status === 'fulfilled')) answered.add(key);
  }

  /** Compares every final task with what it was before. */
  async compare(tasks: TaskStore): Promise<void> {
    for (const [id, { final }] of this.known) {
      const now = await tasks.get(id);
      if (final !== undefined && JSON.stringify(now) !== JSON.stringify(final)) {
        this.problems.push(`${id} was ${JSON.stringify(final)} and is ${JSON.stringify(now)}`);
      }
    }
  }
}
