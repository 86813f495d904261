import { HttpError } from '../protocol/http-errors.ts';

/** How much a client may keep open, see the options of the same names. */
export interface BoundOptions {
  readonly maxOpenRequests: number;
  readonly maxOpenStreams: number;
  readonly maxOpenStreamsPerPrincipal: number;
}

/** Most GETs of a session that wait for its standalone stream on one node. Each asks the store again and again, and all but one are refused in the end. */
const MAX_WAITING = 4;

/** What is open in this process, counted against its bounds. A client that is refused may come back: each refusal says when. */
export class Bounds {
  readonly #options: BoundOptions;
  readonly #streams = new Map<string | null, number>();
  readonly #waiting = new Map<string, number>();
  #open = 0;

  constructor(options: BoundOptions) {
    this.#options = options;
  }

  /**
   * @param running Requests of the session that run here.
   * @param more Those that are to run.
   * @throws HttpError 429
   */
  checkRequests(running: number, more: number): void {
    const { maxOpenRequests } = this.#options;
    if (running + more > maxOpenRequests)
      throw refusal(429, `Too Many Requests: session has more than ${maxOpenRequests} unanswered requests`);
  }

  /** To be called before a GET opens a stream. @throws HttpError 503 where the process has too many, 429 where their principal has. */
  checkStreams(principal: string | null): void {
    const { maxOpenStreams, maxOpenStreamsPerPrincipal } = this.#options;
    if (this.#open >= maxOpenStreams) throw refusal(503, 'Too many streams are open');
    // Nobody is not one user.
    if (principal !== null && (this.#streams.get(principal) ?? 0) >= maxOpenStreamsPerPrincipal)
      throw refusal(429, `Too Many Requests: user has ${maxOpenStreamsPerPrincipal} open streams`);
  }

  /** Counts a stream. @returns To be called once, when it is closed. */
  opened(principal: string | null): () => void {
    this.#open++;
    const closed = count(this.#streams, principal);
    return () => {
      this.#open--;
      closed();
    };
  }

  /** Counts a GET that waits. @returns To be called when it does not any more; `undefined`: it is one too many. */
  waits(sessionId: string): (() => void) | undefined {
    return (this.#waiting.get(sessionId) ?? 0) < MAX_WAITING ? count(this.#waiting, sessionId) : undefined;
  }
}

/** @returns Takes it back. */
function count<Key>(counts: Map<Key, number>, key: Key): () => void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
  return () => {
    const left = (counts.get(key) ?? 1) - 1;
    if (left === 0) counts.delete(key);
    else counts.set(key, left);
  };
}

function refusal(status: 429 | 503, message: string): HttpError {
  return new HttpError(status, message, undefined, { 'retry-after': '5' });
}
