import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Address } from '../backends.ts';

const NODE = fileURLToPath(new URL('../../task-node.ts', import.meta.url));

/** Options of a node, as JSON. */
export interface TaskNodeOptions {
  readonly address: Address;
  /** File of its history. */
  readonly history: string;
  readonly leaseMs: number;
  /** Name of a planted bug. Default: none. */
  readonly bug?: string | undefined;
}

/** What a node says of a task that it was asked for; without an id, it could not store it. */
interface Created {
  readonly created: number;
  readonly taskId?: string;
}

/** The processes that run tasks. */
export class TaskCrew {
  readonly histories: string[] = [];
  /** Failures of the processes themselves. */
  readonly problems: string[] = [];
  readonly #options: Omit<TaskNodeOptions, 'history'>;
  readonly #folder: string;
  readonly #onCreated: (taskId: string) => void;
  readonly #nodes = new Map<number, ChildProcess>();
  readonly #killed = new WeakSet<ChildProcess>();

  constructor(options: Omit<TaskNodeOptions, 'history'>, folder: string, onCreated: (taskId: string) => void) {
    this.#options = options;
    this.#folder = folder;
    this.#onCreated = onCreated;
  }

  /** Asks a node for a task. It may be killed before it answers. */
  create(slot: number, number: number): void {
    const node = this.#nodes.get(slot);
    // The one that a killed node was sent is not created.
    if (node?.connected === true) node.send({ create: number }, () => undefined);
  }

  async begin(slot: number): Promise<void> {
    const history = join(this.#folder, `node${slot}-${this.histories.length}.jsonl`);
    writeFileSync(history, '');
    this.histories.push(history);
    const options = JSON.stringify({ ...this.#options, history } satisfies TaskNodeOptions);
    const node = spawn(process.execPath, ['--conditions=@mcp-session/source', '--no-warnings', NODE, options], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const ready = new Promise<void>((resolve) => {
      node.on('message', (message: 'ready' | Created) => {
        if (message === 'ready') resolve();
        else if (message.taskId !== undefined) this.#onCreated(message.taskId);
      });
    });
    node.once('exit', (code, signal) => {
      if (!this.#killed.has(node)) this.problems.push(`node ${slot} ended by itself with ${String(code ?? signal)}`);
    });
    await Promise.race([ready, once(node, 'exit')]);
    this.#nodes.set(slot, node);
  }

  /** Kills a node at any point of its work, and starts another one. */
  async replace(slot: number): Promise<void> {
    await this.#kill(slot);
    await this.begin(slot);
  }

  /** Freezes a node. If that is longer than its leases, it wakes up late. */
  async freeze(slot: number, ms: number): Promise<void> {
    const node = this.#nodes.get(slot);
    node?.kill('SIGSTOP');
    await pause(ms);
    node?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    await Promise.all([...this.#nodes.keys()].map(async (slot) => this.#kill(slot)));
  }

  async #kill(slot: number): Promise<void> {
    const node = this.#nodes.get(slot);
    this.#nodes.delete(slot);
    if (node === undefined || node.exitCode !== null || node.signalCode !== null) return;
    this.#killed.add(node);
    const exited = once(node, 'exit');
    node.kill('SIGKILL');
    await exited;
  }
}
