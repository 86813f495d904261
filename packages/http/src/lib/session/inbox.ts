import { EventsTrimmedError, SessionError, type SessionEvent } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { isRequest, isResponse, type JsonRpcMessage } from '../protocol/json-rpc.ts';
import type { StoreHealth } from '../store/health.ts';
import type { AnySession } from '../store/session-handle.ts';
import { endedMarker } from '../stream/markers.ts';
import { NODES_STREAM } from '../stream/stream-ids.ts';
import { attendedBy } from './attendance.ts';
import { cancelledId, type ClientMessage, forward, forwardedBy, isProgress, mayConcernOthers } from './forwarding.ts';
import { KnownLog } from './known-log.ts';
import type { SessionTransport } from './transport.ts';

/**
 * How long a request runs before the inbox is read for it, in milliseconds: most are answered
 * sooner.
 */
const READ_AFTER_MS = 100;

/** The delay before the inbox is read again after the store failed, in milliseconds. */
const READ_AGAIN_MS = 500;

/** How many messages without a recipient are reported to a server, and how much of their ids. */
const MAX_STRAYS = 100;
const MAX_STRAY_ID = 100;

export interface InboxOptions {
  readonly nodeId: string;
  readonly session: AnySession;
  readonly transport: SessionTransport;
  readonly health: StoreHealth;
  /**
   * Is called when the first request starts to run.
   *
   * @returns A function to call when the last one is settled.
   */
  readonly onBusy: () => () => void;
  /** Is called when another node reports that the client of a stream is there. */
  readonly onAttended: (streamId: string) => void;
  /** Is called when the session ends or expires while the inbox is read. */
  readonly onSessionEnded: () => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Brings a client's responses and notifications to the server instance that waits for them, on
 * whichever node it is.
 *
 * Nodes forward messages to each other on a stream of the session's log, which is never sent to a
 * client. A node reads that stream while one of its requests runs or waits for a response, and so
 * also learns that the session has ended.
 *
 * | state     | meaning                                     | next                                       |
 * | --------- | ------------------------------------------- | ------------------------------------------ |
 * | `idle`    | no request of either side waits             | a request starts: `waiting`                |
 * | `waiting` | requests run, but not for long yet          | 100 ms or a server request: `reading`      |
 * | `reading` | the stream is followed                      | the last request is settled: `idle`        |
 *
 * A client's messages about one request reach its server in the order of their acknowledgement. So
 * a message that arrives at this node waits until everything that was forwarded before it has been
 * read, unless no other node can have forwarded anything
 * (docs/decisions/023-nodes-talk-through-the-log.md).
 */
export class Inbox {
  readonly #options: InboxOptions;
  readonly #known: KnownLog;
  #state: 'idle' | 'waiting' | 'reading' = 'idle';
  #stop = new AbortController();
  /** Id of the last event that needs no reading; `undefined`: read from the beginning. */
  #after: string | undefined;
  /** Number of the last event that was handed over; 0: none was. */
  #deliveredSeq = 0;
  /** Resolves when all events that were read have been handed over. */
  #delivered: Promise<void> = Promise.resolve();
  #strays = 0;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#known = new KnownLog(options.session.lastSeq);
  }

  /** Skips everything that was forwarded before this server instance was made. */
  async startAfterLatest(): Promise<void> {
    const [last] = await this.#options.session.events.recent(1, NODES_STREAM);
    if (last === undefined) return;
    this.#after = last.id;
    this.#deliveredSeq = last.seq;
    this.#known.readThrough(last.seq);
  }

  /** Notes that this node has appended an event to the session's log. */
  appended(eventId: string): void {
    this.#known.appended(eventId);
  }

  /**
   * Hands a client's message to this node's server, or forwards it to the node that waits for it.
   *
   * @param lastSeq Number of the session's newest event when the message came; `undefined`:
   * unknown.
   */
  async deliver(message: ClientMessage, extra: unknown, lastSeq: number | undefined): Promise<void> {
    const { session, transport, nodeId, health } = this.#options;
    if (lastSeq !== undefined && transport.awaits(message)) await this.#readThrough(lastSeq);
    if (await this.#handOver(message, extra)) return;
    if (mayConcernOthers(message, nodeId)) await forward(session, message, health);
    else this.#reportStray(message);
  }

  /** Delivers those of a POST's messages that are no requests. */
  async deliverAll(messages: readonly JsonRpcMessage[], extra: unknown, lastSeq: number | undefined): Promise<void> {
    for (const message of messages) if (!isRequest(message)) await this.deliver(message, extra, lastSeq);
  }

  /**
   * Reads the inbox until no request of either side waits.
   *
   * @param atOnce Whether to start now instead of in 100 ms: a response is awaited already.
   */
  watch(atOnce = false): void {
    if (this.#state === 'idle') void this.#watchUntilIdle();
    if (atOnce) this.#startReading();
  }

  async #watchUntilIdle(): Promise<void> {
    const { transport, onBusy } = this.#options;
    this.#state = 'waiting';
    this.#stop = new AbortController();
    const timer = setTimeout(() => this.#startReading(), READ_AFTER_MS).unref();
    const done = onBusy();
    do {
      await transport.settled();
      // A new request may start before this loop notices that the last one was settled. It saw that
      // the inbox is watched and did not start to watch, so check again before stopping.
    } while (transport.busy);
    clearTimeout(timer);
    this.#stop.abort();
    this.#state = 'idle';
    done();
  }

  #startReading(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'reading';
    void this.#read(this.#stop.signal);
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { session, onSessionEnded, onError } = this.#options;
    while (!signal.aborted) {
      try {
        const events = session.events.tail({ streamId: NODES_STREAM, after: this.#after, signal });
        for await (const event of events) await this.#enqueue(event);
        if (!signal.aborted) onSessionEnded();
        return;
      } catch (error) {
        onError(error);
        // The trimmed messages are old. The remaining ones may be for this node.
        if (error instanceof EventsTrimmedError) this.#after = undefined;
        else if (error instanceof SessionError && error.retryable) {
          await pause(READ_AGAIN_MS, undefined, { signal, ref: false }).catch(() => undefined);
        } else return;
      }
    }
  }

  /** Hands over everything that was forwarded before a request came. */
  async #readThrough(lastSeq: number): Promise<void> {
    const { health, onError } = this.#options;
    if (!this.#known.covers(lastSeq)) {
      await health.read(async () => {
        await this.#readStored();
        this.#known.readThrough(lastSeq);
      }, onError);
    }
    await this.#delivered;
  }

  async #readStored(): Promise<void> {
    try {
      const events = this.#options.session.events.replay({ streamId: NODES_STREAM, after: this.#after });
      for await (const event of events) await this.#enqueue(event);
    } catch (error) {
      if (!(error instanceof EventsTrimmedError)) throw error;
      this.#after = undefined;
      await this.#readStored();
    }
  }

  /** Hands events over one at a time, and each once, although two readers may be active. */
  #enqueue(event: SessionEvent): Promise<void> {
    this.#delivered = this.#delivered.then(() => this.#handOverEvent(event));
    return this.#delivered;
  }

  async #handOverEvent({ id, message: event, seq }: SessionEvent): Promise<void> {
    if (seq <= this.#deliveredSeq) return;
    this.#deliveredSeq = seq;
    this.#after = id;
    this.#known.readThrough(seq);
    const attended = attendedBy(event);
    if (attended !== undefined) this.#options.onAttended(attended);
    const message = forwardedBy(event);
    if (message === undefined) return;
    try {
      await this.#handOver(message, undefined, seq);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  /** @returns Whether this node's server waited for the message. */
  async #handOver(message: ClientMessage, extra: unknown, forwardedSeq?: number): Promise<boolean> {
    const { transport } = this.#options;
    if (isResponse(message)) return transport.response(message, extra);
    if (isProgress(message)) return transport.progress(message, extra);
    const requestId = cancelledId(message);
    if (requestId === undefined) {
      transport.notify(message, extra);
      return true;
    }
    const stream = transport.cancel(message, requestId, extra, forwardedSeq);
    if (stream === undefined) return false;
    // The server sends nothing more for this request. The marker ends its stream on every node.
    await stream.append(endedMarker(requestId), true);
    return true;
  }

  /**
   * Reports a message without a recipient to the server, in the words of both SDK lines. A client
   * can send any number, so only the first ones.
   */
  #reportStray(message: ClientMessage): void {
    if (this.#strays++ >= MAX_STRAYS) return;
    const [what, id] = isResponse(message)
      ? ['response for an unknown message ID', message.id]
      : ['progress notification for an unknown token', message.params?.['progressToken']];
    const text = (JSON.stringify(id) ?? 'none').slice(0, MAX_STRAY_ID);
    this.#options.transport.onerror?.(new Error(`Received a ${what}: ${text}`));
  }
}
