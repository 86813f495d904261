import type { SessionEvent, SessionEvents } from '@mcp-session/core';
import { describe, respond, StudioError } from '../answers.ts';
import { shownEvent } from '../values.ts';
import { sessionOf, type Call, type Operation } from './operation.ts';

/** Streams that may be open at a time, in all studios of the process. */
const MAX_OPEN = 100;
/** How often a stream looks whether its store answers, and says so, in milliseconds. */
const ALIVE_MS = 1_500;
/** How long the store may take to answer that, in milliseconds. */
const ANSWER_MS = 3_000;
const SILENT = 'The store does not answer';

let open = 0;

/**
 * Follows a log from an event on, as server-sent events (HTML standard, 9.2): `message` for an
 * event of the log, `ready` when all that was stored is sent, `end` when the session has ended,
 * `failure` when the store fails. A comment says that the store answers: a tail waits in silence
 * until its store is back.
 */
export const live: Operation = {
  action: 'read',
  run: async (call) => {
    const after = call.args.optionalText('after');
    const session = await sessionOf(call);
    if (open >= MAX_OPEN) throw new StudioError(503, 'TOO_MANY_STREAMS', 'Too many pages are following a log');
    const source = new LiveSource(call, session.events, after);
    const body = new ReadableStream<Uint8Array>(source, { highWaterMark: 1 });
    return respond(200, body, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
  },
};

/** Reads the tail as fast as the client reads the response. */
class LiveSource {
  readonly #encoder = new TextEncoder();
  readonly #stop = new AbortController();
  readonly #events: SessionEvents;
  readonly #after: string | undefined;
  readonly #call: Call;
  #tail: AsyncGenerator<SessionEvent, void, undefined> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  #isAsking = false;

  constructor(call: Call, events: SessionEvents, after: string | undefined) {
    this.#call = call;
    this.#events = events;
    this.#after = after;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    open++;
    const { signal } = this.#call;
    signal.addEventListener('abort', this.cancel, { once: true });
    if (signal.aborted) this.cancel();
    this.#timer = setInterval(() => void this.#askStore(controller), ALIVE_MS);
    this.#timer.unref();
    let isReady = false;
    const onCaughtUp = (): void => {
      if (!isReady) this.#send(controller, 'event: ready\ndata: {}\n\n');
      isReady = true;
    };
    this.#tail = this.#events.tail({ after: this.#after, signal: this.#stop.signal, onCaughtUp });
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      const next = await this.#tail?.next();
      if (next?.done === false) {
        this.#send(controller, `data: ${JSON.stringify(shownEvent(next.value))}\n\n`);
        return;
      }
      this.#send(controller, 'event: end\ndata: {}\n\n');
    } catch (error) {
      this.#fail(controller, error);
      return;
    }
    this.#close(controller);
  }

  readonly cancel = (): void => {
    if (this.#isOver) return;
    this.#isOver = true;
    open--;
    clearInterval(this.#timer);
    this.#call.signal.removeEventListener('abort', this.cancel);
    this.#stop.abort();
  };

  /** Says that the store answers, or ends the stream. Looking renews nothing. */
  async #askStore(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const slow = setTimeout(() => this.#fail(controller, new StudioError(503, 'STORE_SILENT', SILENT)), ANSWER_MS);
    try {
      await sessionOf(this.#call);
      this.#send(controller, ':\n\n');
    } catch (error) {
      // The tail says that its session has ended, after the events before.
      if (describe(error).code !== 'SESSION_NOT_FOUND') this.#fail(controller, error);
    } finally {
      clearTimeout(slow);
      this.#isAsking = false;
    }
  }

  #fail(controller: ReadableStreamDefaultController<Uint8Array>, error: unknown): void {
    const { code, message } = describe(error);
    this.#send(controller, `event: failure\ndata: ${JSON.stringify({ code, message })}\n\n`);
    this.#close(controller);
  }

  #close(controller: ReadableStreamDefaultController<Uint8Array>): void {
    // A stream that was cancelled is closed already.
    if (this.#isOver) return;
    this.cancel();
    controller.close();
  }

  #send(controller: ReadableStreamDefaultController<Uint8Array>, text: string): void {
    if (!this.#isOver) controller.enqueue(this.#encoder.encode(text));
  }
}
