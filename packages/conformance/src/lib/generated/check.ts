import * as fc from 'fast-check';
import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { Finding, same } from '../findings.ts';

/** Set this variable to the seed of a failure to repeat its calls. */
const SEED_VARIABLE = 'MCP_SESSION_CONFORMANCE_SEED';

/** How long a call may take before it counts as one that never answers, in milliseconds. */
export const ANSWER_MS = 30_000;

/** A call had no answer in time. */
export class Silence extends Finding {}

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
  const seed = wholeFromEnvironment(SEED_VARIABLE);
  let silence: Silence | undefined;
  const watched = async (chosen: readonly C[]): Promise<void> => {
    // Each list that fast-check tries to find a shorter one would be silent for as long.
    if (silence !== undefined) throw silence;
    try {
      await compare(chosen);
    } catch (error) {
      if (error instanceof Silence) silence = error;
      throw error;
    }
  };
  const make = async (options: fc.Parameters<unknown>) => {
    let running = Promise.resolve();
    const property = fc.asyncProperty(calls, (chosen) => (running = watched(chosen)));
    const details = await fc.check(property, options);
    // fast-check abandons the run in which the time ends. Nothing may happen beside it.
    await running.catch(() => undefined);
    if (silence !== undefined) throw new Finding(`${silence.message}\nseed: ${SEED_VARIABLE}=${details.seed}`);
    return details;
  };
  const limited = await make({
    numRuns: runs,
    plugins: [fc.interruptAfterTimeLimit(limitMs)],
    ...(seed !== undefined && { seed: seed + turn }),
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

/**
 * Waits for the answer to a call.
 *
 * @param what Names the call.
 * @throws Silence if no answer comes in time.
 */
export async function answered<T>(answer: Promise<T>, limitMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Silence(`${what} had no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The whole number in a variable of the environment; `undefined` if it is not set. */
export function wholeFromEnvironment(name: string): number | undefined {
  const given = process.env[name];
  if (given === undefined) return undefined;
  if (!/^-?\d+$/.test(given)) throw new Finding(`Environment variable ${name} is not a whole number`);
  return Number(given);
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
