import { Bench } from 'tinybench';

/** One side of a comparison. */
export interface Side {
  /** Prepares a block, unmeasured, for instance with a new session. */
  readonly prepare?: () => unknown;
  /** What is measured. */
  readonly run: () => unknown;
  /** How many operations one run makes. Default: `1`. */
  readonly operations?: number;
}

/** Times of one operation, in milliseconds. */
export interface Times {
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** How long a comparison lasts. */
export interface Effort {
  /**
   * How many rounds follow the warm-up round; 0: the warm-up round counts.
   */
  readonly blocks: number;
  /** Runs of a side in each of its blocks. */
  readonly runs: number;
}

/** The measurements of several sides in one run. */
export interface Comparison<Name extends string> {
  readonly times: (name: Name) => Times;
  /**
   * How many times as fast one side is as another: the median over the blocks of the ratio of their
   * medians, so that other load on the machine affects both.
   */
  readonly speedOf: (name: Name, beside: Name) => number;
}

/**
 * Measures the sides alternately: a block of one side is followed by a block of each other side,
 * and the order is reversed from one round to the next.
 */
export async function compare<Name extends string>(
  sides: Readonly<Record<Name, Side>>,
  { blocks, runs }: Effort,
): Promise<Comparison<Name>> {
  const names = Object.keys(sides) as Name[];
  const measured = new Map<Name, Times[]>(names.map((name) => [name, []]));
  // The first round warms up.
  for (let round = 0; round <= blocks; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const times = await measureBlock(sides[name], runs);
      if (round > 0 || blocks === 0) measured.get(name)?.push(times);
    }
  }
  const of = (name: Name): Times[] => measured.get(name) ?? [];
  return {
    times: (name) => ({
      medianMs: median(of(name).map(({ medianMs }) => medianMs)),
      p99Ms: median(of(name).map(({ p99Ms }) => p99Ms)),
    }),
    speedOf: (name, beside) =>
      median(of(name).map(({ medianMs }, block) => (of(beside)[block]?.medianMs ?? Number.NaN) / medianMs)),
  };
}

async function measureBlock({ prepare, run, operations = 1 }: Side, runs: number): Promise<Times> {
  await prepare?.();
  // Otherwise tinybench would find out with a call that it does not await.
  const first = run();
  const async = first instanceof Promise;
  if (async) await first;
  const bench = new Bench({ iterations: runs, time: 0, warmup: false, throws: true });
  const [task] = await bench.add('block', run, { async }).run();
  if (task?.result.state !== 'completed') throw new Error(`A block of a benchmark is ${task?.result.state}`);
  const { p50, p99 } = task.result.latency;
  return { medianMs: p50 / operations, p99Ms: p99 / operations };
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * fraction;
  const [low = Number.NaN, high = low] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return low + (high - low) * (place - Math.floor(place));
}
