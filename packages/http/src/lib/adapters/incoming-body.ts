import type { IncomingMessage } from 'node:http';
import { HttpError } from '../protocol/http-errors.ts';

/**
 * How much of an unwanted body is read so that its connection stays usable, in bytes and in
 * milliseconds.
 */
const MAX_DISCARDED_BYTES = 4_194_304;
const MAX_DISCARD_MS = 10_000;
/**
 * The same before a connection is closed, so that the response arrives first (RFC 9112, section
 * 9.6).
 */
const LINGER_MS = 1_000;

/**
 * The body of a request of `node:http`. Nothing is read before it is requested. What is left after
 * the response is discarded: the connection's next request is behind it (RFC 9112, section 9.3).
 *
 * Not `Readable.toWeb`: Node does not discard a body that it has touched, and `resume()` does not
 * help, since the web stream pauses it again.
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

  /** The whole body. @throws HttpError 408, or 400 if the client disconnects. */
  async whole(): Promise<Buffer<ArrayBuffer>> {
    const chunks: Buffer[] = [];
    for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** The body as a web stream. If it is cancelled, the rest is discarded after the response. */
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

  /** Whether more is left than is discarded. */
  get isTooMuch(): boolean {
    return this.#late || lengthOf(this.#request) > MAX_DISCARDED_BYTES;
  }

  /**
   * Reads and discards the rest.
   *
   * @returns Whether the connection stays usable; `false` if the rest was too large or too slow.
   */
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
      // The request closes after its end, or if the client disconnects.
      request.once('close', () => {
        clearTimeout(timer);
        resolve(request.readableEnded);
      });
      request.once('end', () => resolve(true));
      request.resume();
    });
  }

  /** Call it when the body is not needed any more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The next chunk; `undefined`: the body has ended. */
  #next(): Promise<Buffer | undefined> {
    const request = this.#request;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        const chunk = request.read() as Buffer | null;
        if (chunk !== null) resolve(chunk);
        else if (request.readableEnded) resolve(undefined);
        else if (this.#late) {
          reject(new HttpError(408, `Request Timeout: body did not come within ${this.#timeoutMs} ms`));
        } else if (request.destroyed) reject(new HttpError(400, 'Bad Request: body was broken off'));
        else return;
        request.off('readable', settle).off('end', settle).off('close', settle);
      };
      this.#look = settle;
      request.on('readable', settle).on('end', settle).on('close', settle);
      settle();
    });
  }
}

/** Whether the body was read completely. */
export function isRead(request: IncomingMessage): boolean {
  return request.readableEnded || (request.complete && request.readableLength === 0);
}

/** The length of the body in bytes, according to its header; `NaN`: there is none. */
export function lengthOf({ headers }: IncomingMessage): number {
  return Number(headers['content-length']);
}
