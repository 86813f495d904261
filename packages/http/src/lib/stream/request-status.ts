import { EventsTrimmedError, type SessionEvent } from '@mcp-session/core';
import type { RequestId } from '../protocol/json-rpc.ts';
import type { AnySession } from '../store/session-handle.ts';
import { openedBy, settledBy } from './markers.ts';
import { type RequestStream, seqOf } from './stream-ids.ts';

/**
 * How far the requests of a stream have come, as its log tells it.
 *
 * The first answer to a request is its answer, in the order of the log; what comes later is nobody's. So a node that was taken for dead and goes on, or two that
 * find a third dead at the same time, answer a request once, whatever their clocks say.
 */
export class RequestStatus {
  readonly #stream: RequestStream;
  /** Which requests were settled, and by which event. */
  readonly #settled = new Map<RequestId, number>();
  #opened: readonly RequestId[] | undefined;
  #openedAt: number | undefined;
  #through: string | undefined;

  constructor(stream: RequestStream) {
    this.#stream = stream;
  }

  /** Those not settled by now; `undefined`: the stream's beginning was trimmed and nobody knows. */
  get unsettled(): readonly RequestId[] | undefined {
    return this.#opened?.filter((id) => !this.#settled.has(id));
  }

  /** How many are left. */
  get left(): number {
    return this.#stream.requestCount - this.#settled.size;
  }

  /** When the stream was opened, in Unix milliseconds; `undefined`: its beginning was trimmed. */
  get openedAt(): number | undefined {
    return this.#openedAt;
  }

  /** Number of the newest event that was read; 0: none was. */
  get readSeq(): number {
    return this.#through === undefined ? 0 : seqOf(this.#through);
  }

  /** Those that were settled by an event or by one before it. */
  settledAt(eventId: string): ReadonlySet<RequestId> {
    const seq = seqOf(eventId);
    return new Set([...this.#settled].flatMap(([id, settledSeq]) => (settledSeq <= seq ? [id] : [])));
  }

  /** Reads what has come since it was read last. */
  async read(session: AnySession): Promise<void> {
    const { streamId } = this.#stream;
    try {
      for await (const event of session.events.replay({ streamId, after: this.#through })) this.#add(event);
    } catch (error) {
      if (!(error instanceof EventsTrimmedError)) throw error;
      this.#through = undefined;
      await this.read(session);
    }
  }

  #add({ id, seq, message, createdAt }: SessionEvent): void {
    this.#through = id;
    const opened = openedBy(message);
    if (opened !== undefined) {
      this.#opened = opened;
      this.#openedAt = createdAt;
    }
    const settled = settledBy(message);
    if (settled !== undefined && !this.#settled.has(settled)) this.#settled.set(settled, seq);
  }
}

/**
 * Makes sure that a cursor can be followed, before anything is sent.
 *
 * @throws SessionError `INVALID_CURSOR`, `EVENTS_TRIMMED`
 */
export async function verifyCursor(session: AnySession, after: string, streamId: string): Promise<void> {
  const replay = session.events.replay({ after, streamId });
  await replay.next();
  await replay.return();
}
