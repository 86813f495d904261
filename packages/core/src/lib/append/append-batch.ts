import type { Capabilities } from '../contract/capabilities.ts';
import { newToken } from '../values/ids.ts';
import type { AppendRequest, NewEvent } from '../contract/rows.ts';

/** Bytes of one batch, unless a single event is larger. */
const MAX_BATCH_BYTES = 1_048_576;
/** Approximate bytes of memory of a pending append, besides its message. */
export const WAITING_BYTES = 250;

/** An append that waits for its commit. */
export interface PendingAppend {
  readonly event: NewEvent;
  /** Undefined if the append does not renew the session. */
  readonly expiresAt: number | undefined;
  readonly resolve: (seq: number) => void;
  readonly reject: (error: unknown) => void;
}

/** The appends to one session. */
export interface SessionQueue {
  readonly sessionId: string;
  pending: PendingAppend[];
  /** Whether a batch with appends of this session is in progress. Later ones wait for it. */
  busy: boolean;
  /** Bytes of the appends that are pending or in progress. */
  bytes: number;
  /**
   * Whether the last batch failed because of this session. Its next batch then holds this session
   * alone and does not count towards `concurrentBatches`.
   */
  alone: boolean;
}

/** The appends of one session in a batch. */
export interface BatchEntry {
  readonly queue: SessionQueue;
  readonly request: AppendRequest;
  readonly pending: readonly PendingAppend[];
  readonly bytes: number;
}

/** Takes the next batch: as many queues, from the first one on, as one call may carry. */
export function takeBatch(
  ready: readonly SessionQueue[],
  { maxBatchEvents, maxBatchSessions }: Capabilities,
): BatchEntry[] {
  const batch: BatchEntry[] = [];
  let events = 0;
  let bytes = 0;
  for (const queue of ready) {
    if (batch.length > 0 && (queue.alone || batch[0]?.queue.alone === true || batch.length >= maxBatchSessions)) break;
    let count = 0;
    let queueBytes = 0;
    for (const { event } of queue.pending) {
      const full = events >= maxBatchEvents || (events > 0 && bytes + queueBytes + event.bytes > MAX_BATCH_BYTES);
      if (full) break;
      events++;
      count++;
      queueBytes += event.bytes;
    }
    if (count === 0) break;
    bytes += queueBytes;
    const { pending } = queue;
    // The rest of this session goes behind the others, so that a busy session does not hold them
    // up.
    queue.pending = count === pending.length ? [] : pending.splice(count);
    queue.busy = true;
    batch.push({
      queue,
      pending,
      bytes: queueBytes + WAITING_BYTES * count,
      request: {
        sessionId: queue.sessionId,
        token: newToken(),
        events: pending.map((each) => each.event),
        expiresAt: latest(pending),
      },
    });
  }
  return batch;
}

function latest(pending: readonly PendingAppend[]): number | undefined {
  let time: number | undefined;
  for (const { expiresAt } of pending) {
    if (expiresAt !== undefined && (time === undefined || expiresAt > time)) time = expiresAt;
  }
  return time;
}
