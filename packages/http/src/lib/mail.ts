import { EventsTrimmedError, SessionError, type SessionEvent } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { isRequestId, isResponse, type JsonRpcNotification, type JsonRpcResponse, type RequestId } from './json-rpc.ts';
import { nodeOfId } from './outgoing-ids.ts';
import { type AnySession, appendAgain, endedMark, NODES_STREAM } from './streams.ts';
import type { SessionTransport } from './transport.ts';

/** What a client sends besides requests. */
export type Posting = JsonRpcResponse | JsonRpcNotification;

/** What one node leaves for the others in the session's log. */
interface Forwarded {
  readonly forwarded: Posting;
}

/** How long a request runs before mail is read for it, in milliseconds: most are answered sooner. */
const READ_AFTER_MS = 100;

/** When mail is read again after the store has failed, in milliseconds. */
const READ_AGAIN_MS = 500;

export interface MailOptions {
  readonly nodeId: string;
  readonly session: AnySession;
  readonly transport: SessionTransport;
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
 */
export class Mail {
  readonly #options: MailOptions;
  /** Id of the last event of the stream that needs no reading; `undefined`: there was none. */
  #after: string | undefined;
  #beginReading: (() => void) | undefined;

  constructor(options: MailOptions) {
    this.#options = options;
    options.transport.onAsked = () => this.watch(true);
  }

  /** Leaves out what was posted before this server instance was made: nothing of it is for it. */
  async skip(): Promise<void> {
    const [last] = await this.#options.session.events.recent(1, NODES_STREAM);
    this.#after = last?.id;
  }

  /** Takes a client's response or notification: for this node's server, or for the node that waits for it. */
  async post(posting: Posting, extra: unknown): Promise<void> {
    if (await this.#take(posting, extra)) return;
    const forwarded: Forwarded = { forwarded: posting };
    if (this.#isForOthers(posting)) await appendAgain(this.#options.session, NODES_STREAM, forwarded);
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
          this.#after = event.id;
          await this.#open(event);
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

  async #open({ message, seq }: SessionEvent): Promise<void> {
    const posting = (message as Partial<Forwarded> | null)?.forwarded;
    if (posting === undefined) return;
    try {
      await this.#take(posting, undefined, seq);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  /** @returns Whether it was for this node. */
  async #take(posting: Posting, extra: unknown, postedSeq?: number): Promise<boolean> {
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
    await stream.append(endedMark(requestId), true);
    return true;
  }

  #isForOthers(posting: Posting): boolean {
    if (!isResponse(posting) && posting.method !== 'notifications/progress') return true;
    const nodeId = nodeOfId(isResponse(posting) ? posting.id : posting.params?.['progressToken']);
    return nodeId !== undefined && nodeId !== this.#options.nodeId;
  }
}

function cancelledId({ method, params }: JsonRpcNotification): RequestId | undefined {
  const requestId = method === 'notifications/cancelled' ? params?.['requestId'] : undefined;
  return isRequestId(requestId) ? requestId : undefined;
}
