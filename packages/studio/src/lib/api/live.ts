import type { SessionEvent, SessionEvents } from '@mcp-session/core';
import { describe, respond, StudioError } from '../answers.ts';
import { shownEvent } from '../values.ts';
import { sessionOf, type Operation } from './operation.ts';

/** Streams that may be open at a time, in all studios of the process. */
const MAX_OPEN = 100;
/** How often a silent stream says that it is open, in milliseconds. */
const ALIVE_MS = 15_000;

let open = 0;

/**
 * Follows a log from an event on, as server-sent events (HTML standard, 9.2): `message` for an
 * event of the log, `ready` when all that was stored is sent, `end` when the session has ended.
 */
export const live: Operation = {
  action: 'read',
  run: async (call) => {
    const after = call.args.optionalText('after');
    const session = await sessionOf(call);
    if (open >= MAX_OPEN) throw new StudioError(503, 'TOO_MANY_STREAMS', 'Too many pages are following a log');
    const source = new LiveSource(session.events, after, call.signal);
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
  readonly #client: AbortSignal;
  #tail: AsyncGenerator<SessionEvent, void, undefined> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(events: SessionEvents, after: string | undefined, client: AbortSignal) {
    this.#events = events;
    this.#after = after;
    this.#client = client;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    open++;
    this.#client.addEventListener('abort', this.cancel, { once: true });
    if (this.#client.aborted) this.cancel();
    this.#timer = setInterval(() => this.#send(controller, ':\n\n'), ALIVE_MS);
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
      const { code, message } = describe(error);
      this.#send(controller, `event: failure\ndata: ${JSON.stringify({ code, message })}\n\n`);
    }
    // A stream that was cancelled is closed already.
    if (this.#isOver) return;
    this.cancel();
    controller.close();
  }

  readonly cancel = (): void => {
    if (this.#isOver) return;
    this.#isOver = true;
    open--;
    clearInterval(this.#timer);
    this.#client.removeEventListener('abort', this.cancel);
    this.#stop.abort();
  };

  #send(controller: ReadableStreamDefaultController<Uint8Array>, text: string): void {
    if (!this.#isOver) controller.enqueue(this.#encoder.encode(text));
  }
}
