import type { FollowOptions } from './streams.ts';

export const SSE_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/** A connection to open. Its claim, where it has one, is given back when it is closed. */
export interface OpenOptions extends Omit<FollowOptions, 'signal' | 'readAgain'> {
  /** Frames to begin with. */
  readonly opening: string;
  /** Whether it is for a stream that is not in the log: what it sends is pushed. Default: `false`. */
  readonly unstored?: boolean;
  /** When the client's token expires, in Unix seconds: it is to come back with a new one. Default: never. */
  readonly expiresAt?: number | undefined;
  /** The client's request: when it is aborted, the connection is closed and nothing else. */
  readonly request: Request;
}

/** A connection that was opened. */
export interface Opened {
  readonly response: Response;
  /** Is aborted when it is closed, by whomever. */
  readonly over: AbortSignal;
}

/** The connection that a stream's client has open here, whichever it is by now. */
export interface Connected {
  /**
   * Sends what could not be stored, a message or a mark, and ends the connection where nothing more is to come.
   *
   * @param always Whether also to a client that is far behind.
   * @returns Whether it was sent: never where there is no connection.
   */
  push(message: unknown, always: boolean): boolean;
  close(lastFrame: string): void;
}
