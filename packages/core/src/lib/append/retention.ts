import { Looks } from './looks.ts';
import type { ErrorListener } from '../reports/error-log.ts';
import type { Gate } from '../runtime/gate.ts';
import type { ObservedBackend } from '../runtime/observed-backend.ts';
import type { Rests } from '../runtime/rests.ts';
import type { ResolvedOptions } from '../options/store-options.ts';
import type { AppendResult, TrimBound } from '../contract/rows.ts';

/** Maximum number of events that one step of a trim removes. */
export const TRIM_STEP = 1_000;

/**
 * Trims logs as events come in: once a log exceeds a bound by a tenth, down to that bound, so that
 * most appends cost nothing more.
 */
export class Retention {
  readonly #backend: ObservedBackend;
  readonly #gate: Gate;
  readonly #rests: Rests;
  readonly #bounds: ResolvedOptions['retention'];
  readonly #clock: () => number;
  readonly #onError: ErrorListener;
  /** Undefined if events of any age are kept. */
  readonly #looks: Looks | undefined;

  constructor(
    backend: ObservedBackend,
    gate: Gate,
    rests: Rests,
    { retention: bounds, clock, onError }: Pick<ResolvedOptions, 'retention' | 'clock' | 'onError'>,
  ) {
    this.#onError = onError;
    this.#backend = backend;
    this.#gate = gate;
    this.#rests = rests;
    this.#bounds = bounds;
    this.#clock = clock;
    this.#looks = bounds.maxAgeMs === undefined ? undefined : new Looks(bounds.maxAgeMs / 10);
  }

  /** Whether {@link enforce} may have something to do after an append. */
  mayBeDue(result: AppendResult): boolean {
    return this.#bounds.maxAgeMs !== undefined || this.#isOutgrown(result);
  }

  /**
   * Trims a log that has outgrown a bound, or whose oldest events may be too old. Never rejects.
   */
  async enforce(sessionId: string, result: AppendResult): Promise<void> {
    try {
      const now = this.#clock();
      const isAgeDue = this.#looks?.isDue(sessionId, now) === true;
      if (!isAgeDue && !this.#isOutgrown(result)) return;
      const { maxEvents, maxBytes, maxAgeMs } = this.#bounds;
      const createdBefore = maxAgeMs === undefined ? undefined : now - maxAgeMs;
      const bound = { maxEvents, maxBytes, createdBefore, throughSeq: undefined, limit: TRIM_STEP };
      await this.#gate.run(() => this.#trim(sessionId, bound));
    } catch (error) {
      // The append is committed, and the next append tries again.
      this.#looks?.forget(sessionId);
      this.#onError(error, 'trim of a log');
    }
  }

  #isOutgrown({ retainedEvents, retainedBytes }: AppendResult): boolean {
    return retainedEvents > this.#bounds.maxEvents * 1.1 || retainedBytes > this.#bounds.maxBytes * 1.1;
  }

  async #trim(sessionId: string, bound: TrimBound): Promise<void> {
    for (;;) {
      const startedAt = performance.now();
      const now = this.#clock();
      const removed = await this.#backend.begun.trimEvents(sessionId, bound, now);
      if (removed !== TRIM_STEP) return;
      await this.#rests.after(startedAt);
    }
  }
}
