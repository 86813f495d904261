import type { ShownEvent } from './api.ts';

/** Lanes that are drawn. Streams beyond them share the last one. */
const MAX_LANES = 8;

/** How the lanes pass through the row of one event. */
export interface LaneRow {
  /** The lane of the event. */
  readonly lane: number;
  /** Lanes that come from above. */
  readonly above: readonly number[];
  /** Lanes that go on below. */
  readonly below: readonly number[];
}

/** Rows by number, and how many lanes they need. */
export interface Lanes {
  readonly rows: ReadonlyMap<number, LaneRow>;
  readonly count: number;
}

/**
 * Gives each stream a lane for as long as it has events, and a lane that became free to the next
 * stream.
 */
export function lanesOf(events: readonly ShownEvent[]): Lanes {
  const lastOf = new Map<string, number>();
  for (const { streamId, seq } of events) lastOf.set(streamId, seq);
  const laneOf = new Map<string, number>();
  const used: number[] = [];
  const rows = new Map<number, LaneRow>();
  let count = 1;
  for (const { streamId, seq } of events) {
    const above = active(used);
    let lane = laneOf.get(streamId);
    if (lane === undefined) {
      const free = used.findIndex((streams) => streams === 0);
      lane = Math.min(free === -1 ? used.length : free, MAX_LANES - 1);
      used[lane] = (used[lane] ?? 0) + 1;
      laneOf.set(streamId, lane);
      count = Math.max(count, used.length);
    }
    if (lastOf.get(streamId) === seq) {
      used[lane] = (used[lane] ?? 1) - 1;
      laneOf.delete(streamId);
    }
    rows.set(seq, { lane, above, below: active(used) });
  }
  return { rows, count };
}

function active(used: readonly number[]): number[] {
  return used.flatMap((streams, lane) => (streams > 0 ? [lane] : []));
}
