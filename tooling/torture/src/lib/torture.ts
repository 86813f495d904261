import type { BackendName } from './backends.ts';
import { type RoundReport, runRound } from './run-round.ts';
import { openStorage } from './storage.ts';

/** Options of a run. */
export interface TortureOptions {
  readonly backend: BackendName;
  /** How long the workers work, in milliseconds, without the checks. */
  readonly ms: number;
  /** Repeats the choices of a run; the machine's timing is never the same. */
  readonly seed: string;
  /** Length of a round, in milliseconds. Default: `10_000`. */
  readonly roundMs?: number;
  /** Processes that work at the same time. Default: `3`. */
  readonly workers?: number;
  /** Whether to kill processes and make databases and connections fail. Default: `true`. */
  readonly faults?: boolean;
  /** Name of a bug that is planted in every worker. Default: none. */
  readonly bug?: string | undefined;
  /** URL of a running server, which is then never killed. Default: the run starts one. */
  readonly url?: string | undefined;
  /** Is called with the report of each round. */
  readonly onRound?: (report: RoundReport, number: number) => void;
}

/**
 * The result of a run over all its rounds. It ends after the first round that finds a problem.
 */
export type TortureReport = Omit<RoundReport, 'folder'> & {
  readonly rounds: number;
  readonly folder: string | undefined;
  /** From the beginning of the work to the end of the last check, in milliseconds. */
  readonly tookMs: number;
};

/**
 * Lets processes call a store at random, causes faults in them and their database, and checks every
 * promise.
 */
export async function torture(options: TortureOptions): Promise<TortureReport> {
  const { backend, ms, seed, roundMs = 10_000, workers = 3, faults = true, bug, url, onRound } = options;
  const storage = await openStorage(backend, url);
  const beganAt = performance.now();
  const reports: RoundReport[] = [];
  try {
    for (let left = ms; left > 0; left -= roundMs) {
      const number = reports.length + 1;
      const report = await runRound({ storage, number, seed, ms: Math.min(left, roundMs), workers, faults, bug });
      reports.push(report);
      onRound?.(report, number);
      if (report.problems.length > 0) break;
    }
  } finally {
    await storage.dispose();
  }
  return { ...together(reports), rounds: reports.length, tookMs: performance.now() - beganAt };
}

function together(reports: readonly RoundReport[]): RoundReport {
  const faults: Record<string, number> = {};
  for (const report of reports) {
    for (const [name, count] of Object.entries(report.faults)) faults[name] = (faults[name] ?? 0) + count;
  }
  const sum = (name: 'operations' | 'acknowledged' | 'tails' | 'delivered'): number =>
    reports.reduce((total, report) => total + report[name], 0);
  return {
    operations: sum('operations'),
    acknowledged: sum('acknowledged'),
    tails: sum('tails'),
    delivered: sum('delivered'),
    faults,
    problems: reports.flatMap(({ problems }) => problems),
    folder: reports.at(-1)?.folder,
  };
}
