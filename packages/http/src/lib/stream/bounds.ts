import { HttpError } from '../protocol/http-errors.ts';

/** How much may be open, see the options of the same names. */
export interface BoundOptions {
  readonly maxOpenRequests: number;
  readonly maxOpenStreams: number;
  readonly maxOpenStreamsPerPrincipal: number;
}

/**
 * How many GETs of a session may wait for its standalone stream on one node. Each polls the store,
 * and all but one are refused in the end.
 */
const MAX_WAITING = 4;

/**
 * Counts what is open in this process against its bounds. Each refusal tells the client when to
 * retry.
 */
export class Bounds {
  readonly #options: BoundOptions;
  readonly #streams = new Map<string | null, number>();
  readonly #waiting = new Map<string, number>();
  #open = 0;

  constructor(options: BoundOptions) {
    this.#options = options;
  }

  /**
   * @param running How many requests of the session run here.
   * @param more How many are to start.
   * @throws HttpError 429
   */
  checkRequests(running: number, more: number): void {
    const { maxOpenRequests } = this.#options;
    if (running + more > maxOpenRequests) {
      throw refusal(
        429,
        `Too Many Requests: session has more than ${maxOpenRequests} unanswered requests`,
        'too-many-requests',
      );
    }
  }

  /**
   * Call it before a GET opens a stream.
   *
   * @throws HttpError 503 if the process has too many, 429 if the principal has.
   */
  checkStreams(principal: string | null): void {
    const { maxOpenStreams, maxOpenStreamsPerPrincipal } = this.#options;
    if (this.#open >= maxOpenStreams) throw refusal(503, 'Too many streams are open', 'too-many-streams');
    // Anonymous clients are not one user.
    if (principal !== null && (this.#streams.get(principal) ?? 0) >= maxOpenStreamsPerPrincipal) {
      throw refusal(429, `Too Many Requests: user has ${maxOpenStreamsPerPrincipal} open streams`, 'too-many-streams');
    }
  }

  /** Counts a stream. @returns A function to call once, when it is closed. */
  opened(principal: string | null): () => void {
    this.#open++;
    const closed = count(this.#streams, principal);
    return () => {
      this.#open--;
      closed();
    };
  }

  /**
   * Counts a GET that waits.
   *
   * @returns A function to call when it stops waiting; `undefined` if too many wait.
   */
  waits(sessionId: string): (() => void) | undefined {
    return (this.#waiting.get(sessionId) ?? 0) < MAX_WAITING ? count(this.#waiting, sessionId) : undefined;
  }
}

/** Counts one more of a key. @returns A function that counts one less. */
function count<Key>(counts: Map<Key, number>, key: Key): () => void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
  return () => {
    const left = (counts.get(key) ?? 1) - 1;
    if (left === 0) counts.delete(key);
    else counts.set(key, left);
  };
}

function refusal(status: 429 | 503, message: string, reason: 'too-many-requests' | 'too-many-streams'): HttpError {
  return new HttpError(status, message, undefined, { 'retry-after': '5' }, reason);
}
