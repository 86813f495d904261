import { SessionError } from '../errors.ts';

/** Bytes that may wait, so that a database that hangs does not fill the memory. */
const MAX_WAITING_BYTES = 67_108_864;

/**
 * Bounds what waits for the database, and keeps room for those who have little there: a session may fill as much as it leaves free. One session alone gets no
 * more than half, n of them no more than an n+1st part each, and that much is left for the next one.
 */
export class WaitingRoom {
  #bytes = 0;

  /**
   * Lets something in.
   *
   * @param held Bytes that wait for the same session already.
   * @throws SessionError `STORE_BUSY` where it does not fit. It is about this session: others still get in, and if the database does not answer, the calls that
   * are under way will tell.
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
