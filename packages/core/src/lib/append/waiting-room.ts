import { SessionError } from '../errors.ts';

/** Maximum number of waiting bytes, so that a database that hangs does not fill the memory. */
const MAX_WAITING_BYTES = 67_108_864;

/**
 * Limits the bytes that wait for the database, and keeps room for sessions with few of them. A
 * session may hold at most as many bytes as are free: one session alone up to 1/2 of the room, n
 * sessions up to 1/(n+1) each.
 */
export class WaitingRoom {
  #bytes = 0;

  /**
   * Admits bytes.
   *
   * @param held Bytes of the same session that wait already.
   * @throws SessionError `STORE_BUSY` if there is no room. Its scope is the session, since others
   * still get in. If the database itself is down, the calls in progress report it.
   */
  enter(held: number, bytes: number): void {
    if (this.#bytes > 0 && held + bytes > MAX_WAITING_BYTES - this.#bytes) {
      throw new SessionError(
        'STORE_BUSY',
        'Session already has too many bytes waiting for the database: try again later',
        {
          retryable: true,
          scope: 'session',
        },
      );
    }
    this.#bytes += bytes;
  }

  leave(bytes: number): void {
    this.#bytes -= bytes;
  }
}
