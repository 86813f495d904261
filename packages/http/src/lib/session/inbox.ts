import { EventsTrimmedError, SessionError, type SessionEvent } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import {
  isRequestId,
  isResponse,
  type JsonRpcNotification,
  type JsonRpcResponse,
  type RequestId,
} from '../protocol/json-rpc.ts';
import { KnownLog } from './known-log.ts';
import { nodeOfId } from './server-request-ids.ts';
import type { StoreHealth } from '../store/health.ts';
import type { SessionTransport } from './transport.ts';
import type { AnySession } from '../store/session-handle.ts';
import { appendWithRetry } from '../store/append-with-retry.ts';
import { endedMarker } from '../stream/markers.ts';
import { NODES_STREAM } from '../stream/stream-ids.ts';

/** What a client sends besides requests. */
export type ClientMessage = JsonRpcResponse | JsonRpcNotification;

/** What one node leaves for the others in the session's log. */
interface Forwarded {
  readonly forwarded: ClientMessage;
}

/** How long a request runs before mail is read for it, in milliseconds: most are answered sooner. */
const READ_AFTER_MS = 100;

/** When mail is read again after the store has failed, in milliseconds. */
const READ_AGAIN_MS = 500;

/** How many messages that nobody waits for a server is told of, and how much of their ids. */
const MAX_STRAYS = 100;
const MAX_STRAY_ID = 100;

export interface InboxOptions {
  readonly nodeId: string;
  readonly session: AnySession;
  readonly transport: SessionTransport;
  readonly health: StoreHealth;
  /** Called when work begins here. @returns To be called when it is done. */
  readonly atWork: () => () => void;
  /** Is called when the session has ended or expired while something was at work here. */
  readonly onEnded: () => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Brings what a client posts to the server instance that waits for it, whichever node holds that.
 *
 * Nodes leave each other's messages on a stream of the session's own log, which is never sent to a client. A node reads it while a request of
 * its own is answered or waits for an answer, and learns the same way that the session has ended.
 *
 * What a client sends about one request reaches its server in the order in which it was acknowledged. So what comes here directly waits until all that was left here
 * before has been read, unless nobody else can have left anything (docs/decisions/031-in-the-order-of-acknowledgement.md).
 */
export class Inbox {
  readonly #options: InboxOptions;
  /** Id of the last event of the stream that needs no reading; `undefined`: there was none. */
  #after: string | undefined;
  /** Number of the last event that was handed over; 0: none was. */
  #openedSeq = 0;
  readonly #known: KnownLog;
  /** Resolves when the mail that was read has been handed over. */
  #handedOver: Promise<void> = Promise.resolve();
  #beginReading: (() => void) | undefined;
  #strays = 0;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#known = new KnownLog(options.session.lastSeq);
  }

  /** Leaves out what was posted before this server instance was made: nothing of it is for it. */
  async skip(): Promise<void> {
    const [last] = await this.#options.session.events.recent(1, NODES_STREAM);
    this.#after = last?.id;
    if (last !== undefined) {
      this.#openedSeq = last.seq;
      this.#known.lookedThrough(last.seq);
    }
  }

  /** This node has appended an event to the log. */
  appended(eventId: string): void {
    this.#known.appended(eventId);
  }

  /**
   * Takes a client's response or notification: for this node's server, or for the node that waits for it.
   *
   * @param sinceSeq Number of the session's newest event as of the request; `undefined`: nobody knows.
   */
  async post(posting: ClientMessage, extra: unknown, sinceSeq: number | undefined): Promise<void> {
    if (sinceSeq !== undefined && this.#options.transport.awaits(posting)) await this.#catchUp(sinceSeq);
    if (await this.#take(posting, extra)) return;
    const forwarded: Forwarded = { forwarded: posting };
    if (this.#isForOthers(posting)) await appendWithRetry(this.#options.session, NODES_STREAM, forwarded);
    else this.#reportStray(posting);
  }

  /**
   * Reads mail for as long as something is at work here.
   *
   * @param atOnce Whether an answer is awaited already.
   */
  watch(atOnce = false): void {
    if (this.#beginReading === undefined) void this.#watch();
    if (atOnce) this.#beginReading?.();
  }

  async #watch(): Promise<void> {
    const { transport, atWork } = this.#options;
    const abort = new AbortController();
    const timer = setTimeout(() => this.#beginReading?.(), READ_AFTER_MS).unref();
    let reading = false;
    this.#beginReading = () => {
      if (!reading) void this.#read(abort.signal);
      reading = true;
    };
    const done = atWork();
    // A request can begin after the last one has ended and before we hear of it, and has seen that mail is read.
    do await transport.rest();
    while (transport.waiting);
    clearTimeout(timer);
    abort.abort();
    this.#beginReading = undefined;
    done();
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { session, onEnded, onError } = this.#options;
    while (!signal.aborted) {
      try {
        for await (const event of session.events.tail({ streamId: NODES_STREAM, after: this.#after, signal })) {
          await this.#handOver(event);
        }
        if (!signal.aborted) onEnded();
        return;
      } catch (error) {
        onError(error);
        // What is lost was posted long ago; what is left may be for us.
        if (error instanceof EventsTrimmedError) this.#after = undefined;
        else if (error instanceof SessionError && error.retryable)
          await pause(READ_AGAIN_MS, undefined, { signal, ref: false }).catch(() => undefined);
        else return;
      }
    }
  }

  /** Hands over what was left here before a request came. */
  async #catchUp(sinceSeq: number): Promise<void> {
    if (!this.#known.covers(sinceSeq)) {
      const { health, onError } = this.#options;
      try {
        await health.read(() => this.#readUntilNow());
        this.#known.lookedThrough(sinceSeq);
      } catch (error) {
        if (!health.canDoWithout(error)) throw error;
        onError(error);
      }
    }
    await this.#handedOver;
  }

  async #readUntilNow(): Promise<void> {
    try {
      const replay = this.#options.session.events.replay({ streamId: NODES_STREAM, after: this.#after });
      for await (const event of replay) await this.#handOver(event);
    } catch (error) {
      if (!(error instanceof EventsTrimmedError)) throw error;
      this.#after = undefined;
      await this.#readUntilNow();
    }
  }

  /** One after the other, and each once: two may be reading. */
  #handOver(event: SessionEvent): Promise<void> {
    this.#handedOver = this.#handedOver.then(() => this.#open(event));
    return this.#handedOver;
  }

  async #open({ id, message, seq }: SessionEvent): Promise<void> {
    if (seq <= this.#openedSeq) return;
    this.#openedSeq = seq;
    this.#after = id;
    this.#known.lookedThrough(seq);
    const posting = (message as Partial<Forwarded> | null)?.forwarded;
    if (posting === undefined) return;
    try {
      await this.#take(posting, undefined, seq);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  /** @returns Whether it was for this node. */
  async #take(posting: ClientMessage, extra: unknown, postedSeq?: number): Promise<boolean> {
    const { transport } = this.#options;
    if (isResponse(posting)) return transport.response(posting, extra);
    if (posting.method === 'notifications/progress') return transport.progress(posting, extra);
    const requestId = cancelledId(posting);
    if (requestId === undefined) {
      transport.notify(posting, extra);
      return true;
    }
    const stream = transport.cancel(posting, requestId, extra, postedSeq);
    if (stream === undefined) return false;
    // Nothing more will be said of this request, and its stream has to end for those who come back to it as well.
    await stream.append(endedMarker(requestId), true);
    return true;
  }

  /** Tells the server, in the words of both SDK lines, of what nobody waits for; not for ever, since a client can send any number. */
  #reportStray(posting: ClientMessage): void {
    if (this.#strays++ >= MAX_STRAYS) return;
    const { transport } = this.#options;
    const [what, id] = isResponse(posting)
      ? ['response for an unknown message ID', posting.id]
      : ['progress notification for an unknown token', posting.params?.['progressToken']];
    transport.onerror?.(new Error(`Received a ${what}: ${(JSON.stringify(id) ?? 'none').slice(0, MAX_STRAY_ID)}`));
  }

  #isForOthers(posting: ClientMessage): boolean {
    if (!isResponse(posting) && posting.method !== 'notifications/progress') return true;
    const nodeId = nodeOfId(isResponse(posting) ? posting.id : posting.params?.['progressToken']);
    return nodeId !== undefined && nodeId !== this.#options.nodeId;
  }
}

function cancelledId({ method, params }: JsonRpcNotification): RequestId | undefined {
  const requestId = method === 'notifications/cancelled' ? params?.['requestId'] : undefined;
  return isRequestId(requestId) ? requestId : undefined;
}
