import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Drain, WorkerOptions } from './work/worker.ts';

const WORKER = fileURLToPath(new URL('../worker.ts', import.meta.url));
/** How long a worker may take to end its calls after the order to stop, in milliseconds. */
const STOP_MS = 60_000;

/** What a crew passes to each of its workers. */
export type CrewOptions = Omit<WorkerOptions, 'slot' | 'name' | 'history'> & {
  /** Folder of the histories. */
  readonly folder: string;
  readonly workers: number;
  /** Prefix of the workers' names, unique in the run. */
  readonly round: string;
};

/** The processes of a round. */
export class Crew {
  readonly #options: CrewOptions;
  readonly #members = new Map<number, ChildProcess>();
  readonly #histories: string[] = [];
  readonly #problems: string[] = [];
  #count = 0;

  constructor(options: CrewOptions) {
    this.#options = options;
  }

  get histories(): readonly string[] {
    return this.#histories;
  }

  /** Failures of the processes themselves. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  async start(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.workers }, (_, slot) => this.#spawn(slot)));
  }

  /** Kills a worker with SIGKILL at any point of its work, and starts a replacement. */
  async replace(slot: number): Promise<void> {
    const child = this.#members.get(slot);
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    await this.#spawn(slot);
  }

  /** Freezes a worker for a while, as a machine that is short of memory does. */
  async freeze(slot: number, ms: number): Promise<void> {
    const child = this.#members.get(slot);
    child?.kill('SIGSTOP');
    await pause(ms);
    child?.kill('SIGCONT');
  }

  /** Lets all calls end. Resolves when no worker writes any more. */
  async idle(): Promise<void> {
    await this.#each((child) => {
      const idle = new Promise<void>((resolve) => {
        child.on('message', (message) => {
          if (message === 'idle') resolve();
        });
      });
      child.send('stop');
      return idle;
    });
  }

  /** Lets the tails reach the ends of their logs, and the processes end. */
  async drain(drain: Drain): Promise<void> {
    await this.#each(async (child, slot) => {
      const exited = once(child, 'exit');
      child.send(drain);
      const [code, signal] = (await exited) as [number | null, string | null];
      if (code !== 0) this.#problems.push(`worker ${slot} ended with ${String(code ?? signal)}`);
    });
  }

  kill(): void {
    for (const child of this.#members.values()) child.kill('SIGKILL');
  }

  async #each(work: (child: ChildProcess, slot: number) => Promise<unknown>): Promise<void> {
    await Promise.all(
      [...this.#members].map(async ([slot, child]) => {
        // It ended by itself, which was recorded as a problem.
        if (!child.connected) return;
        const slow = new AbortController();
        const tooSlow = pause(STOP_MS, 'slow', { signal: slow.signal }).catch(() => undefined);
        if ((await Promise.race([work(child, slot), tooSlow])) === 'slow') {
          this.#problems.push(`worker ${slot} hangs`);
          child.kill('SIGKILL');
        }
        slow.abort();
      }),
    );
  }

  async #spawn(slot: number): Promise<void> {
    const { folder, round, workers: _, ...rest } = this.#options;
    const name = `${round}w${slot}i${++this.#count}`;
    const history = join(folder, `${name}.jsonl`);
    // A worker can be killed before it has opened the file.
    writeFileSync(history, '');
    const options: WorkerOptions = { ...rest, slot: `w${slot}`, name, history };
    const child = spawn(process.execPath, ['--conditions=@mcp-session/source', WORKER, JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    this.#histories.push(history);
    this.#members.set(slot, child);
    const first = await Promise.race([
      once(child, 'message').then(() => 'ready'),
      once(child, 'exit').then(() => 'over'),
    ]);
    // Ignore what it wrote when our SIGKILL ended it.
    if (first === 'over') this.#problems.push(`worker ${name} did not start: ${stderr.slice(0, 2_000)}`);
    else {
      child.once(
        'exit',
        (code) => code !== null && code !== 0 && this.#problems.push(`worker ${name}: ${stderr.slice(0, 2_000)}`),
      );
    }
  }
}
