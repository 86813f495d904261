import * as fc from 'fast-check';
import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { Finding, same } from '../findings.ts';

/** Set this variable to the seed of a failure to repeat its calls. */
const SEED_VARIABLE = 'MCP_SESSION_CONFORMANCE_SEED';

/** Random calls, and how to show them. */
export interface Check<C> {
  readonly calls: fc.Arbitrary<readonly C[]>;
  /** Makes the calls on the backend under test and on the model. Throws if an answer differs. */
  readonly compare: (calls: readonly C[]) => Promise<void>;
  /** Formats a call for a failure. */
  readonly tell: (call: C) => string;
  readonly runs: number;
  /** The index of this check among those with the same seed. Default: `0`. */
  readonly turn?: number;
  /**
   * Time for runs, and for shortening a failure, in milliseconds. A slow database does fewer runs,
   * and one at least. Default: 15 seconds.
   */
  readonly limitMs?: number;
}

const LIMIT_MS = 15_000;

/** Fails with the shortest failing list of calls that was found, and the seed. */
export async function check<C>(wanted: Check<C>): Promise<void> {
  const { calls, compare, tell, runs, turn = 0, limitMs = LIMIT_MS } = wanted;
  const seed = process.env[SEED_VARIABLE];
  const make = async (options: fc.Parameters<unknown>) => {
    let running = Promise.resolve();
    const property = fc.asyncProperty(calls, (chosen) => (running = compare(chosen)));
    const details = await fc.check(property, options);
    // fast-check abandons the run in which the time ends. Nothing may happen beside it.
    await running.catch(() => undefined);
    return details;
  };
  const limited = await make({
    numRuns: runs,
    plugins: [fc.interruptAfterTimeLimit(limitMs)],
    ...(seed !== undefined && { seed: Number(seed) + turn }),
  });
  // fast-check calls it a failure if the time is over before the first run is.
  const unmade = limited.interrupted && limited.numRuns === 0;
  const result = unmade ? await make({ numRuns: 1, seed: limited.seed }) : limited;
  if (!result.failed) return;
  // The type of the plugin hides the property's arguments.
  const [shortest] = (result.counterexample ?? [[]]) as readonly [readonly C[]];
  const list = shortest.map((call) => `  ${tell(call)}`).join('\n');
  const what = result.errorInstance instanceof Error ? result.errorInstance.message : String(result.errorInstance);
  throw new Finding(
    `${what}\nafter these calls, the last of which is the one:\n${list}\nseed: ${SEED_VARIABLE}=${result.seed}`,
    { cause: result.errorInstance },
  );
}

/** Fails unless the answer becomes the promised one in time, because a listing may lag. */
export async function sameWithin(
  lagMs: number,
  answer: () => Promise<unknown>,
  promised: unknown,
  what: string,
): Promise<void> {
  const deadline = performance.now() + lagMs;
  for (;;) {
    const begun = performance.now();
    const got = await answer();
    try {
      same(got, promised, what);
      return;
    } catch (error) {
      // An answer that took long may be what was stored before the deadline.
      if (begun >= deadline) throw error;
      await wait(20);
    }
  }
}
