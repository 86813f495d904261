import { type Owner, streamAlreadyOpen } from './ownership.ts';

/**
 * How long an owner on another node may take to release a stream that its client has closed, in
 * milliseconds.
 */
const RELEASED_WITHIN_MS = 500;
/**
 * How long after the beginning of the wait that owner may take to find out whether its client is
 * still there, in milliseconds.
 */
const ANSWERED_WITHIN_MS = 1_500;
/** How often the record is read during the first time, in milliseconds. */
const LOOK_AGAIN_MS = 50;
/** How often it is read afterwards, in milliseconds. */
const LOOK_LATER_MS = 200;

/** Decides how long a client waits for a stream that another node owns. */
export class ClaimWait {
  readonly #begun: number = performance.now();
  #first: Owner | undefined;
  #hasChallenged = false;

  /** Returns `true` once, when the owner is to look after its client. */
  challenges(): boolean {
    if (this.#hasChallenged || performance.now() - this.#begun < RELEASED_WITHIN_MS) return false;
    this.#hasChallenged = true;
    return true;
  }

  /**
   * @returns When to read the record again, in milliseconds from now.
   * @throws HttpError 409 once the owner is known to be alive.
   */
  lookAgainAfter(owner: Owner): number {
    this.#first ??= owner;
    // A client that closes its stream and opens the next one can be faster than the node that it
    // has left.
    const waitedMs = performance.now() - this.#begun;
    if (waitedMs < RELEASED_WITHIN_MS) return LOOK_AGAIN_MS;
    if (owner.epoch !== this.#first.epoch) throw streamAlreadyOpen();
    // The owner renewed its lease while we waited, so it is alive, and so is its client: refuse. A
    // dead owner cannot renew; keep waiting until its lease expires.
    if (waitedMs >= ANSWERED_WITHIN_MS && owner.until > this.#first.until) throw streamAlreadyOpen();
    return LOOK_LATER_MS;
  }
}
