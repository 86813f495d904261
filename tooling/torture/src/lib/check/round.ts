import type { Delivered, Operation } from '../history.ts';
import type { Pools } from '../work/sessions.ts';

/** What a session holds when all work has ended. */
export interface FinalSession {
  readonly log: readonly Delivered[];
  /** Number of its newest event. */
  readonly lastSeq: number;
  readonly update: number;
  readonly metadata: number;
}

/** All that is known of a round: what the checks look at. */
export interface Round {
  readonly pools: Pools;
  readonly operations: readonly Operation[];
  /** The sessions that were not ended. */
  readonly final: ReadonlyMap<string, FinalSession>;
  /**
   * Whether databases or connections were made to fail, so that calls may fail with a retryable
   * `STORE_…`.
   */
  readonly faults: boolean;
}

/** Looks at a round. @returns What must not be, a sentence each. */
export type Check = (round: Round) => string[];

/** The operations of one name, by session. */
export function bySession(operations: readonly Operation[], name: Operation['name']): Map<string, Operation[]> {
  return Map.groupBy(
    operations.filter((each) => each.name === name),
    ({ session }) => session,
  );
}

/**
 * Pairs of calls of which one had ended before the other began, and whose values are not in that
 * order.
 *
 * @param calls Calls that were done, with the value that must grow.
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
