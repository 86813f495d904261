import type { SessionError } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import {
  closed,
  isConditionFailure,
  retryKindOf,
  tooManyConflicts,
  translateError,
  unprocessed,
  type RetryKind,
} from './errors.ts';

/** The outcome of an attempt that lost against a concurrent write. */
export const CONFLICT: unique symbol = Symbol('conflict');

interface RetryOptions {
  /** Names the tables in errors, for operators. */
  readonly label: string;
  readonly maxAttempts: number;
  readonly maxConflicts: number;
}

/**
 * All retries: of throttled requests, of transactions that conflict, of requests without an answer,
 * and of calls that lose against concurrent writes. Retries back off. The only other timer of this
 * package paces background work.
 */
export class Retries {
  readonly #label: string;
  readonly #maxAttempts: number;
  readonly #maxConflicts: number;
  #stopped = false;

  constructor({ label, maxAttempts, maxConflicts }: RetryOptions) {
    this.#label = label;
    this.#maxAttempts = maxAttempts;
    this.#maxConflicts = maxConflicts;
  }

  /** Refuses all further attempts. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Sends a request until it is answered.
   *
   * @param writes True if the request may take effect without an answer.
   */
  async send<T>(attempt: () => Promise<T>, writes: boolean): Promise<T> {
    let outcomeUnknown = false;
    for (let attempts = 1; ; attempts++) {
      if (this.#stopped) throw closed(this.#label);
      try {
        return await attempt();
      } catch (error) {
        const kind = retryKindOf(error);
        if (isConditionFailure(error)) throw error;
        outcomeUnknown ||= writes && kind === 'unanswered';
        const most = kind === 'conflict' ? this.#maxConflicts : this.#maxAttempts;
        if (kind === undefined || attempts >= most) throw this.failure(error, outcomeUnknown);
        await wait(attempts, kind);
      }
    }
  }

  /**
   * Pauses after a batch in which no item was processed. @throws SessionError after too many
   * attempts.
   */
  async waitForCapacity(attempts: number): Promise<void> {
    if (attempts >= this.#maxAttempts) throw this.failure(unprocessed());
    await wait(attempts, 'throttled');
  }

  /**
   * Repeats an attempt until it returns something other than {@link CONFLICT}.
   *
   * @param refresh Reads again what the attempts rely on. After a pause the cache is stale, and an
   * attempt that must fail costs more than a read.
   */
  async onConflict<T>(attempt: () => Promise<T | typeof CONFLICT>, refresh?: () => Promise<unknown>): Promise<T> {
    for (let conflicts = 1; ; conflicts++) {
      const result = await attempt();
      if (result !== CONFLICT) return result;
      await this.backOff(conflicts);
      if (conflicts > 1) await refresh?.();
    }
  }

  /**
   * Pauses after a conflict.
   *
   * @param conflicts How many the call has had.
   * @throws SessionError `STORE_BUSY` if these are too many.
   */
  async backOff(conflicts: number): Promise<void> {
    if (conflicts >= this.#maxConflicts) throw tooManyConflicts(this.#maxConflicts, this.#label);
    // The first conflict usually means that the cache was stale. Further ones mean a race, and the
    // more there are, the more writers take part.
    if (conflicts > 1) await pause(Math.random() * Math.min(4 * 2 ** conflicts, 20 * conflicts, 1_000));
  }

  /** Turns an error of the SDK into a `SessionError`. */
  failure(error: unknown, outcomeUnknown: boolean = false): SessionError {
    return translateError(error, { outcomeUnknown, store: this.#label });
  }
}

async function wait(attempts: number, kind: RetryKind): Promise<void> {
  const [firstMs, mostMs] = kind === 'conflict' ? [10, 250] : [50, 1_000];
  await pause(Math.random() * Math.min(firstMs * 2 ** (attempts - 1), mostMs));
}
