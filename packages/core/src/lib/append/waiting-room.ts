import { SessionError } from '../errors.ts';

/** Most bytes that may wait, so that a database that hangs does not fill the memory. */
const MAX_WAITING_BYTES = 67_108_864;

/**
 * Bounds what waits for the database, and keeps room for sessions that have little there. A session
 * may hold as many bytes as are still free: one session alone at most a half, n of them at most an
 * n+1st part each.
 */
export class WaitingRoom {
  #bytes = 0;

  /**
   * Lets bytes in.
   *
   * @param held Bytes of the same session that wait already.
   * @throws SessionError `STORE_BUSY` if there is no room. Its scope is the session, since others
   * still get in. If the database does not answer, the calls in progress will tell.
   */
  enter(held: number, bytes: number): void {
    if (this.#bytes > 0 && held + bytes > MAX_WAITING_BYTES - this.#bytes)
      throw new SessionError('STORE_BUSY', 'Too much of this session waits for the database already: try again later', {
        retryable: true,
        scope: 'session',
      });
    this.#bytes += bytes;
  }

  leave(bytes: number): void {
    this.#bytes -= bytes;
  }
}
