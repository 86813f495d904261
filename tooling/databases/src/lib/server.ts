import type { DatabaseName } from './kind.ts';
import type { SourceName } from './sources.ts';

/** A running test database, as plain data: fit for vitest's `provide`. */
export interface DatabaseAddress {
  readonly database: DatabaseName;
  readonly source: SourceName;

  /** A connection string for PostgreSQL, an endpoint for DynamoDB. */
  readonly url: string;

  /** Product and version, as the server reports them. */
  readonly product: string;
}

/** A running test database, and the handle to release it. */
export interface DatabaseServer extends DatabaseAddress, AsyncDisposable {
  /**
   * Ends the server and removes its data, unless it comes from the environment: then it is left
   * alone. Safe to repeat.
   */
  close(): Promise<void>;
}

/**
 * A server that belongs to one test, which may do anything to it.
 *
 * Port, URL and all acknowledged writes survive `stop`, `kill`, `start` and `restart`. Each may be
 * called in any state.
 */
export interface OwnServer extends DatabaseServer {
  /** Shuts the server down cleanly; resolves when it has ended. */
  stop(): Promise<void>;

  /** Ends the server with SIGKILL, as a crash would; resolves when it has ended. */
  kill(): Promise<void>;

  /** Starts the server again; resolves when it answers. */
  start(): Promise<void>;

  /** `stop`, then `start`. */
  restart(): Promise<void>;
}
