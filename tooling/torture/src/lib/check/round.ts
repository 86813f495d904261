import type { Delivered, Operation } from '../history.ts';
import type { Pools } from '../work/sessions.ts';

/** The content of a session when all work has ended. */
export interface FinalSession {
  readonly log: readonly Delivered[];
  /** Number of its newest event. */
  readonly lastSeq: number;
  readonly update: number;
  readonly metadata: number;
}

/** Everything that is known about a round, for the checks. */
export interface Round {
  readonly pools: Pools;
  readonly operations: readonly Operation[];
  /** The sessions that were not ended. */
  readonly final: ReadonlyMap<string, FinalSession>;
  /** Whether faults of databases or connections were caused, so that calls may fail with a retryable
   * `STORE_…`.
   */
  readonly faults: boolean;
}

/** Checks a round. @returns The problems, one sentence each. */
export type Check = (round: Round) => string[];

/** The operations of one name, by session. */
export function bySession(operations: readonly Operation[], name: Operation['name']): Map<string, Operation[]> {
  return Map.groupBy(
    operations.filter((each) => each.name === name),
    ({ session }) => session,
  );
}

/**
 * Pairs of calls where one ended before the other began, but the values are not in that order.
 *
 * @param calls Successful calls, with the value that must grow.
 */
export function disorder(
  calls: readonly { readonly at: number; readonly endedAt: number; readonly id: string; readonly value: number }[],
): { readonly before: string; readonly after: string }[] {
  const found: { before: string; after: string }[] = [];
  const byEnd = calls.toSorted((a, b) => a.endedAt - b.endedAt);
  let next = 0;
  let greatest: { readonly id: string; readonly value: number } | undefined;
  for (const call of calls.toSorted((a, b) => a.at - b.at)) {
    for (; (byEnd[next]?.endedAt ?? Number.POSITIVE_INFINITY) < call.at; next++) {
      const ended = byEnd[next];
      if (ended !== undefined && (greatest === undefined || ended.value > greatest.value)) greatest = ended;
    }
    if (greatest !== undefined && greatest.value >= call.value) found.push({ before: greatest.id, after: call.id });
  }
  return found;
}
