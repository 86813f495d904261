import type { IncomingMessage } from 'node:http';
import { HttpError } from '../protocol/http-errors.ts';

/** How much of a body that nobody wants is still read, so that its connection can go on: in bytes, and in milliseconds. */
const MAX_DISCARDED_BYTES = 4_194_304;
const MAX_DISCARD_MS = 10_000;
/** The same where the connection ends anyway: for the answer to arrive before it does (RFC 9112, section 9.6). */
const LINGER_MS = 1_000;

/**
 * The body of a request of `node:http`. Nothing is read before it is asked for, and what is left after the answer is thrown away: the next request of a
 * connection is behind it (RFC 9112, section 9.3).
 *
 * Not `Readable.toWeb`: what it has touched Node does not throw away by itself, and `resume()` does not help, since the web stream pauses it again.
 */
export class IncomingBody {
  readonly #request: IncomingMessage;
  readonly #timer: NodeJS.Timeout;
  readonly #timeoutMs: number;
  #late = false;
  #look: () => void = () => undefined;

  constructor(request: IncomingMessage, timeoutMs: number) {
    this.#request = request;
    this.#timeoutMs = timeoutMs;
    this.#timer = setTimeout(() => {
      this.#late = true;
      this.#look();
    }, timeoutMs).unref();
  }

  /** All of it. @throws HttpError 408, or 400 where the client goes away. */
  async whole(): Promise<Buffer<ArrayBuffer>> {
    const chunks: Buffer[] = [];
    for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** The same as a web stream. Where it is cancelled, the rest is thrown away after the answer. */
  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const chunk = await this.#next();
          if (chunk === undefined) controller.close();
          else controller.enqueue(chunk);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Whether more is left of it than is thrown away. */
  get isTooMuch(): boolean {
    return this.#late || lengthOf(this.#request) > MAX_DISCARDED_BYTES;
  }

  /** Reads what is left and throws it away. @returns Whether the connection can go on: `false` where there was too much, or it took too long. */
  discard(): Promise<boolean> {
    this.stop();
    if (isRead(this.#request)) return Promise.resolve(true);
    if (this.#late) return Promise.resolve(false);
    const request = this.#request.removeAllListeners('readable').removeAllListeners('data');
    const allowedMs = this.isTooMuch ? LINGER_MS : MAX_DISCARD_MS;
    return new Promise((resolve) => {
      let left = MAX_DISCARDED_BYTES;
      const timer = setTimeout(() => resolve(false), Math.min(this.#timeoutMs, allowedMs)).unref();
      request.on('data', (chunk: Buffer) => {
        left -= chunk.length;
        if (left < 0) resolve(false);
      });
      // It closes after its end, or where the client goes away.
      request.once('close', () => {
        clearTimeout(timer);
        resolve(request.readableEnded);
      });
      request.once('end', () => resolve(true));
      request.resume();
    });
  }

  /** To be called when nothing of it will be asked for any more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The next piece; `undefined`: that was all. */
  #next(): Promise<Buffer | undefined> {
    const request = this.#request;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        const chunk = request.read() as Buffer | null;
        if (chunk !== null) resolve(chunk);
        else if (request.readableEnded) resolve(undefined);
        else if (this.#late)
          reject(new HttpError(408, `Request Timeout: body did not come within ${this.#timeoutMs} ms`));
        else if (request.destroyed) reject(new HttpError(400, 'Bad Request: body was broken off'));
        else return;
        request.off('readable', settle).off('end', settle).off('close', settle);
      };
      this.#look = settle;
      request.on('readable', settle).on('end', settle).on('close', settle);
      settle();
    });
  }
}

/** Whether nothing of the body is left to read. */
export function isRead(request: IncomingMessage): boolean {
  return request.readableEnded || (request.complete && request.readableLength === 0);
}

/** Length of the body in bytes, as its client says; `NaN`: it does not. */
export function lengthOf({ headers }: IncomingMessage): number {
  return Number(headers['content-length']);
}
