import type { Capabilities } from '../contract/capabilities.ts';
import { newToken } from '../values/ids.ts';
import type { AppendRequest, NewEvent } from '../contract/rows.ts';

/** Bytes of one batch, unless a single event is larger. */
const MAX_BATCH_BYTES = 1_048_576;
/** Rough bytes of memory of an append that waits, besides its message. */
export const WAITING_BYTES = 250;

/** An append that waits. */
export interface Waiting {
  readonly event: NewEvent;
  /** `undefined`: does not renew the session. */
  readonly expiresAt: number | undefined;
  readonly resolve: (seq: number) => void;
  readonly reject: (error: unknown) => void;
}

/** The appends to one session. */
export interface Line {
  readonly sessionId: string;
  waiting: Waiting[];
  /** Whether a batch of it is under way: what comes meanwhile waits for it. */
  busy: boolean;
  /** Bytes of what waits and of what is under way. */
  bytes: number;
  /** Whether the last batch failed for a reason that is the session's own: the next one is of this session alone, and takes no place from others. */
  alone: boolean;
}

/** What a batch has of one session. */
export interface Part {
  readonly line: Line;
  readonly request: AppendRequest;
  readonly waiting: readonly Waiting[];
  readonly bytes: number;
}

/** Takes what goes in the next call: as many of the lines, from the first one on, as it may carry. */
export function takeBatch(ready: readonly Line[], { maxBatchEvents, maxBatchSessions }: Capabilities): Part[] {
  const batch: Part[] = [];
  let events = 0;
  let bytes = 0;
  for (const line of ready) {
    if (batch.length > 0 && (line.alone || batch[0]?.line.alone === true || batch.length >= maxBatchSessions)) break;
    let count = 0;
    let lineBytes = 0;
    for (const { event } of line.waiting) {
      const full = events >= maxBatchEvents || (events > 0 && bytes + lineBytes + event.bytes > MAX_BATCH_BYTES);
      if (full) break;
      events++;
      count++;
      lineBytes += event.bytes;
    }
    if (count === 0) break;
    bytes += lineBytes;
    const { waiting } = line;
    // What is left of a session waits for this batch and goes behind the others then, so that a busy one does not hold them up.
    line.waiting = count === waiting.length ? [] : waiting.splice(count);
    line.busy = true;
    batch.push({
      line,
      waiting,
      bytes: lineBytes + WAITING_BYTES * count,
      request: {
        sessionId: line.sessionId,
        token: newToken(),
        events: waiting.map((each) => each.event),
        expiresAt: latest(waiting),
      },
    });
  }
  return batch;
}

function latest(waiting: readonly Waiting[]): number | undefined {
  let time: number | undefined;
  for (const { expiresAt } of waiting)
    if (expiresAt !== undefined && (time === undefined || expiresAt > time)) time = expiresAt;
  return time;
}
