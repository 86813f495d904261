import { EventsTrimmedError, type SessionEvent } from '@mcp-session/core';
import type { RequestId } from '../protocol/json-rpc.ts';
import type { AnySession } from '../store/session-handle.ts';
import { openedBy, scopesOf, settledBy } from './markers.ts';
import { type RequestStream, scopesDigest, seqOf } from './stream-ids.ts';
import type { StreamReader } from './stream-reader.ts';

/**
 * What the log says about the requests of one stream.
 *
 * The first response in the log wins; later ones are ignored. So a request has one response even if
 * a node that counted as dead continues, or if two nodes answer for a dead one at the same time.
 */
export class RequestStatus {
  readonly #stream: RequestStream;
  /** The settled requests, each with the number of the event that settled it. */
  readonly #settled = new Map<RequestId, number>();
  #opened: readonly RequestId[] | undefined;
  #openedAt: number | undefined;
  #scopes: readonly string[] | undefined;
  #through: string | undefined;

  constructor(stream: RequestStream) {
    this.#stream = stream;
  }

  /**
   * The requests without a response; `undefined` if the stream's beginning was trimmed, which names
   * them.
   */
  get unsettled(): readonly RequestId[] | undefined {
    return this.#opened?.filter((id) => !this.#settled.has(id));
  }

  get unsettledCount(): number {
    return this.#stream.requestCount - this.#settled.size;
  }

  /** When the stream was opened, in Unix milliseconds; `undefined` if its beginning was trimmed. */
  get openedAt(): number | undefined {
    return this.#openedAt;
  }

  /** The scopes of the requests' token; `undefined` if the stream's beginning was trimmed. */
  get scopes(): readonly string[] | undefined {
    return this.#scopes;
  }

  /**
   * Whether a token with these scopes may follow the stream: it has all scopes of the requests'
   * token; or the same ones, if only their digest is left.
   */
  admits(given: readonly string[]): boolean {
    if (this.#scopes !== undefined) return this.#scopes.every((scope) => given.includes(scope));
    return this.#stream.scopes === undefined || this.#stream.scopes === scopesDigest(given);
  }

  /** The requests that this event or an earlier one settled. */
  settledAt(eventId: string): ReadonlySet<RequestId> {
    const seq = seqOf(eventId);
    return new Set([...this.#settled].flatMap(([id, settledSeq]) => (settledSeq <= seq ? [id] : [])));
  }

  /**
   * Opens a reader that stands at a client's cursor, and reads what this status does not know yet
   * of the events up to the cursor.
   *
   * @throws SessionError `INVALID_CURSOR`, `EVENTS_TRIMMED` if the stream cannot be followed from
   * the cursor.
   */
  async readTo(cursor: string, open: (after: string | undefined) => StreamReader): Promise<StreamReader> {
    const isKnown = this.#through !== undefined && seqOf(this.#through) >= seqOf(cursor);
    try {
      return await this.#readTo(cursor, isKnown ? cursor : this.#through, open);
    } catch (error) {
      // What this status knew last may have been trimmed, although the cursor was not.
      if (isKnown || this.#through === undefined || !(error instanceof EventsTrimmedError)) throw error;
      this.#through = undefined;
      return this.#readTo(cursor, undefined, open);
    }
  }

  /** Reads all events that are stored and not known yet. */
  async readAll(session: AnySession): Promise<void> {
    const { streamId } = this.#stream;
    try {
      for await (const event of session.events.replay({ streamId, after: this.#through })) this.#add(event);
    } catch (error) {
      if (!(error instanceof EventsTrimmedError)) throw error;
      this.#through = undefined;
      await this.readAll(session);
    }
  }

  async #readTo(
    cursor: string,
    after: string | undefined,
    open: (after: string | undefined) => StreamReader,
  ): Promise<StreamReader> {
    const reader = open(after);
    try {
      let event = await reader.peek();
      let isIssued = after === cursor;
      while (event !== undefined && event.seq <= seqOf(cursor)) {
        await reader.next();
        this.#add(event);
        isIssued ||= event.id === cursor;
        event = await reader.peek();
      }
      if (isIssued) return reader;
    } catch (error) {
      reader.close();
      throw error;
    }
    // The event itself is not in the log. Only the store can say whether it was trimmed or never
    // issued.
    reader.close();
    const strict = open(cursor);
    await strict.peek();
    return strict;
  }

  #add({ id, seq, message, createdAt }: SessionEvent): void {
    if (this.#through !== undefined && seq <= seqOf(this.#through)) return;
    this.#through = id;
    const opened = openedBy(message);
    if (opened !== undefined) {
      this.#opened = opened;
      this.#openedAt = createdAt;
      this.#scopes = scopesOf(message);
    }
    const settled = settledBy(message);
    if (settled !== undefined && !this.#settled.has(settled)) this.#settled.set(settled, seq);
  }
}
