import type { Processes } from '@mcp-session/core/transport';

/**
 * How often a node asks about the processes that its requests wait for, in milliseconds: one
 * question for all of them, and none while nothing waits.
 */
const ASK_EVERY_MS = 200;

/** Learns that other processes have ended. */
export class EndedProcesses {
  readonly #processes: Processes | undefined;
  /** What waits for the end of each process. */
  readonly #waiting = new Map<string, Set<() => void>>();
  #isAsking = false;

  /** @param processes `undefined`: the store cannot tell that a process has ended. */
  constructor(processes: Processes | undefined) {
    this.#processes = processes;
  }

  /** Whether the store can tell that a process has ended. */
  get isKnown(): boolean {
    return this.#processes !== undefined;
  }

  /** The text for this process; `undefined` if its end could not be known, for now. */
  async identify(): Promise<string | undefined> {
    return this.#processes?.identify().catch(() => undefined);
  }

  /** Whether the process has certainly ended. A failure of the store says that it has not. */
  async hasEnded(process: string): Promise<boolean> {
    return (await this.#find([process])).has(process);
  }

  /** Resolves when the process has ended, or when the signal is aborted. */
  async wait(process: string, signal: AbortSignal): Promise<void> {
    if (this.#processes === undefined || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(process) ?? new Set();
    this.#waiting.set(process, waiting.add(resolve));
    signal.addEventListener('abort', () => resolve(), { once: true });
    this.#askLater();
    await promise;
    waiting.delete(resolve);
    if (waiting.size === 0 && this.#waiting.get(process) === waiting) this.#waiting.delete(process);
  }

  #askLater(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    setTimeout(() => void this.#ask(), ASK_EVERY_MS).unref();
  }

  async #ask(): Promise<void> {
    for (const process of await this.#find([...this.#waiting.keys()])) {
      for (const resolve of this.#waiting.get(process) ?? []) resolve();
      this.#waiting.delete(process);
    }
    this.#isAsking = false;
    if (this.#waiting.size > 0) this.#askLater();
  }

  async #find(processes: readonly string[]): Promise<ReadonlySet<string>> {
    if (this.#processes === undefined || processes.length === 0) return new Set();
    return this.#processes.findEnded(processes).catch(() => new Set<string>());
  }
}
