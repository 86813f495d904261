import { SessionError } from '@mcp-session/core';
import { clock, type Delivered, type Ended, type HistoryWriter, type OperationName } from '../history.ts';

/** Records each call before it starts and after it has ended. */
export class Recorder {
  readonly #history: HistoryWriter;
  readonly #worker: string;
  #count = 0;
  /** Calls that have ended, successfully or not. */
  calls = 0;

  constructor(history: HistoryWriter, worker: string) {
    this.#history = history;
    this.#worker = worker;
  }

  /** A new id, unique in the run. */
  newId(): string {
    return `${this.#worker}.${++this.#count}`;
  }

  /** Makes a call and records it. Never rejects: the checks judge failures.
   *
   * @returns The result of the call; `undefined` also if it failed.
   */
  async call<T>(
    name: OperationName,
    session: string,
    make: (id: string) => Promise<T>,
    given: Readonly<Record<string, unknown>> = {},
    show: (got: T) => unknown = (got) => got,
  ): Promise<T | undefined> {
    const id = this.newId();
    this.#history.write({ id, at: clock(), name, session, given });
    try {
      const got = await make(id);
      this.#history.write({ of: id, at: clock(), got: show(got) ?? null });
      return got;
    } catch (error) {
      this.#history.write({ of: id, at: clock(), ...describe(error) });
      return undefined;
    } finally {
      this.calls++;
    }
  }

  delivered(events: readonly Delivered[]): void {
    if (events.length > 0) this.#history.write(events);
  }
}

function describe(error: unknown): Pick<Ended, 'error' | 'outcomeUnknown' | 'retryable'> {
  if (!(error instanceof SessionError)) return { error: String(error) };
  const { code, outcomeUnknown, retryable } = error;
  return { error: code, outcomeUnknown, retryable };
}
