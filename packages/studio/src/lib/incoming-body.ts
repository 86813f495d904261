import type { IncomingMessage } from 'node:http';
import { StudioError } from './answers.ts';
import { MAX_BODY_BYTES } from './body.ts';

/** The largest body that is read to its end, in bytes. */
const MAX_READ_BYTES = 4_194_304;
/** How long a body may take to arrive, in milliseconds. */
const MAX_READ_MS = 10_000;
/**
 * How long a connection stays open after a refusal, in milliseconds. A client that still sends
 * could lose the response otherwise (RFC 9112, section 9.6).
 */
const LINGER_MS = 1_000;

/**
 * The body of a request of `node:http`. It is read to its end before the request is answered: the
 * connection's next request is behind it (RFC 9112, section 9.3). Only its beginning is kept.
 *
 * Not `Readable.toWeb`: Node does not discard the rest of a body that it has touched.
 */
export class IncomingBody {
  readonly #kept: Buffer[] = [];
  readonly #refused = Promise.withResolvers<StudioError>();
  readonly #end: Promise<void>;

  constructor(request: IncomingMessage) {
    this.#end = this.#read(request);
  }

  /**
   * The body, or its beginning if the studio takes no body of this length.
   *
   * @throws StudioError 408 or 413 if the body does not end in time. The connection must be closed.
   * @throws Error if the client disconnects.
   */
  async arrival(): Promise<Buffer<ArrayBuffer>> {
    const timer = setTimeout(() => {
      this.#refused.resolve(new StudioError(408, 'BODY_TOO_SLOW', `Body did not arrive within ${MAX_READ_MS} ms`));
    }, MAX_READ_MS);
    try {
      const refusal = await Promise.race([this.#end, this.#refused.promise]);
      if (refusal !== undefined) throw refusal;
      return Buffer.concat(this.#kept);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until the body ends, the client disconnects, or the client had time for the response. */
  async linger(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LINGER_MS);
    await Promise.race([this.#end.catch(() => undefined), promise]);
    clearTimeout(timer);
  }

  async #read(request: IncomingMessage): Promise<void> {
    let bytes = 0;
    // An iterator also continues what something in front has begun to read.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      // One chunk beyond the limit, so that the studio refuses the body.
      if (bytes <= MAX_BODY_BYTES) this.#kept.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_READ_BYTES) {
        this.#refused.resolve(new StudioError(413, 'BODY_TOO_LARGE', `Body exceeds ${MAX_BODY_BYTES} bytes`));
      }
    }
  }
}
