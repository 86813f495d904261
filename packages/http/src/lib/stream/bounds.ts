import { HttpError } from '../protocol/http-errors.ts';

/** How much may be open, see the options of the same names. */
export interface BoundOptions {
  readonly maxOpenRequests: number;
  readonly maxOpenRequestsPerPrincipal: number;
  readonly maxOpenRequestsPerProcess: number;
  readonly maxOpenStreams: number;
  readonly maxOpenStreamsPerPrincipal: number;
}

/**
 * How many GETs of a session may wait for its standalone stream on one node. Each polls the store,
 * and all but one are refused in the end.
 */
const MAX_WAITING = 4;

/** Whose requests begin. */
export interface Asker {
  /** `undefined`: they have no session. */
  readonly sessionId?: string;
  /** `null`: nobody's. */
  readonly principal: string | null;
}

/**
 * Counts what is open in this process against its bounds. Each refusal tells the client when to
 * retry.
 *
 * Requests and streams are counted apart: neither kind uses up the places of the other. The stream
 * of a POST belongs to its requests.
 */
export class Bounds {
  readonly #options: BoundOptions;
  readonly #requests = new OpenCounts();
  readonly #ofSessions = new Map<string, number>();
  readonly #streams = new OpenCounts();
  readonly #waiting = new Map<string, number>();

  constructor(options: BoundOptions) {
    this.#options = options;
  }

  /**
   * Counts requests that begin: all of them, or none.
   *
   * @returns A function that counts one of them less, or as many as it is given. Call it when they
   * are answered or cancelled.
   * @throws HttpError 429 if the session or the principal has too many, 503 if the process has.
   */
  beginRequests({ sessionId, principal }: Asker, more: number): (ended?: number) => void {
    const { maxOpenRequests, maxOpenRequestsPerPrincipal, maxOpenRequestsPerProcess } = this.#options;
    if (sessionId !== undefined && (this.#ofSessions.get(sessionId) ?? 0) + more > maxOpenRequests) {
      throw tooManyRequests('session', maxOpenRequests);
    }
    if (principal !== null && this.#requests.of(principal) + more > maxOpenRequestsPerPrincipal) {
      throw tooManyRequests('user', maxOpenRequestsPerPrincipal);
    }
    if (this.#requests.all + more > maxOpenRequestsPerProcess) {
      throw refusal(503, 'Too many requests are unanswered', 'too-many-requests');
    }
    this.#requests.change(principal, more);
    if (sessionId !== undefined) change(this.#ofSessions, sessionId, more);
    return (ended = 1) => {
      this.#requests.change(principal, -ended);
      if (sessionId !== undefined) change(this.#ofSessions, sessionId, -ended);
    };
  }

  /**
   * Call it early for a GET that is to open a stream: a refusal then costs nothing.
   *
   * @throws HttpError 503 if the process has too many, 429 if the principal has.
   */
  checkStreams(principal: string | null): void {
    const { maxOpenStreams, maxOpenStreamsPerPrincipal } = this.#options;
    if (this.#streams.all >= maxOpenStreams) throw refusal(503, 'Too many streams are open', 'too-many-streams');
    if (this.#streams.of(principal) >= maxOpenStreamsPerPrincipal) {
      throw refusal(429, `Too Many Requests: user has ${maxOpenStreamsPerPrincipal} open streams`, 'too-many-streams');
    }
  }

  /**
   * Counts the stream of a GET.
   *
   * @returns A function to call once, when it is closed.
   * @throws Like {@link checkStreams}: others may have been opened since.
   */
  openStream(principal: string | null): () => void {
    this.checkStreams(principal);
    this.#streams.change(principal, 1);
    return () => this.#streams.change(principal, -1);
  }

  /**
   * Counts a GET that waits.
   *
   * @returns A function to call when it stops waiting; `undefined` if too many wait.
   */
  waits(sessionId: string): (() => void) | undefined {
    if ((this.#waiting.get(sessionId) ?? 0) >= MAX_WAITING) return undefined;
    change(this.#waiting, sessionId, 1);
    return () => change(this.#waiting, sessionId, -1);
  }
}

/** What is open of one kind: in all, and of each principal. */
class OpenCounts {
  readonly #ofPrincipals = new Map<string, number>();
  #all = 0;

  get all(): number {
    return this.#all;
  }

  /** @returns 0 for nobody's: anonymous clients are not one user. */
  of(principal: string | null): number {
    return principal === null ? 0 : (this.#ofPrincipals.get(principal) ?? 0);
  }

  change(principal: string | null, by: number): void {
    this.#all += by;
    if (principal !== null) change(this.#ofPrincipals, principal, by);
  }
}

function change(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

function tooManyRequests(whose: 'session' | 'user', max: number): HttpError {
  return refusal(429, `Too Many Requests: ${whose} has more than ${max} unanswered requests`, 'too-many-requests');
}

function refusal(status: 429 | 503, message: string, reason: 'too-many-requests' | 'too-many-streams'): HttpError {
  return new HttpError(status, message, undefined, { 'retry-after': '5' }, reason);
}
