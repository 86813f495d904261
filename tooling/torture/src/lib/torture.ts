import type { BackendName } from './backends.ts';
import { type RoundReport, runRound } from './run-round.ts';
import { openStorage } from './storage.ts';

/** How a run goes. */
export interface TortureOptions {
  readonly backend: BackendName;
  /** How long work is done, in milliseconds. Checks come on top. */
  readonly ms: number;
  /** Repeats the choices of a run; the machine's timing is never the same. */
  readonly seed: string;
  /** Length of a round, in milliseconds. Default: `10_000`. */
  readonly roundMs?: number;
  /** Processes that work at the same time. Default: `3`. */
  readonly workers?: number;
  /** Whether processes are killed, and databases and connections made to fail. Default: `true`. */
  readonly faults?: boolean;
  /** Name of a bug that is planted in every worker. Default: none. */
  readonly bug?: string | undefined;
  /** URL of a server that is there already, which is not killed then. Default: one is started. */
  readonly url?: string | undefined;
  /** Is given each round's report. */
  readonly onRound?: (report: RoundReport, number: number) => void;
}

/**
 * What a run did and saw, all rounds together. It ends with the first round that finds a problem.
 */
export type TortureReport = Omit<RoundReport, 'folder'> & {
  readonly rounds: number;
  readonly folder: string | undefined;
  /** From the beginning of the work to the end of the last check, in milliseconds. */
  readonly tookMs: number;
};

/**
 * Lets processes do at random what a store allows, harms them and their database, and looks whether
 * every promise was kept.
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
