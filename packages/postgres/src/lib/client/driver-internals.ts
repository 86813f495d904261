import { SessionError } from '@mcp-session/core';
import type { Socket } from 'node:net';
import type { Sql } from 'postgres';

// Everything that this package knows about postgres.js beyond its documented API, as of 3.4.9.
// Nothing else in this package reads it. Each function fails with an error that names the driver if
// a version is different.

/** A running query of postgres.js. */
export type RunningQuery = Promise<readonly unknown[]>;

/** Options that the types of postgres.js leave out (index.js, parseOptions). */
export interface UntypedOptions {
  readonly max_pipeline: number;
  readonly socket: (options: ParsedOptions) => Socket;
}

/** The options of a client after postgres.js has parsed them (index.js, parseOptions). */
export interface ParsedOptions {
  readonly host: readonly string[];
  readonly port: readonly number[];
  /** `false` unless the server is reached by a socket file. */
  readonly path: string | false;
  readonly database: string;
  readonly max: number;
}

/** A query as it is before it is sent (query.js, Query). */
interface QueryInternals {
  strings: readonly string[];
  args: readonly unknown[];
  /** `null` until the query leaves the pool's queue (connection.js, execute). */
  readonly state: unknown;
}

/**
 * Checks a client for the internals that this file uses. Sends nothing.
 *
 * @throws SessionError `STORE_UNAVAILABLE` if the installed driver is different.
 */
export function checkInternals(sql: Sql): void {
  parsedOptions(sql);
  // postgres.js sends a query only when something waits for it.
  const unsent = sql.unsafe('select 1', [], { prepare: true }) as unknown as Partial<QueryInternals>;
  if (unsent.state !== null || unsent.strings?.[0] !== 'select 1' || !Array.isArray(unsent.args)) throw unknownDriver();
}

/** @throws SessionError `STORE_UNAVAILABLE` if the installed driver is different. */
export function parsedOptions(sql: Sql): ParsedOptions {
  const { host, port, path, database, max } = sql.options as unknown as Partial<ParsedOptions>;
  if (
    !Array.isArray(host) ||
    !Array.isArray(port) ||
    (path !== false && typeof path !== 'string') ||
    typeof database !== 'string' ||
    typeof max !== 'number'
  ) {
    throw unknownDriver();
  }
  return { host: host as readonly string[], port: port as readonly number[], path, database, max };
}

/**
 * True if the query has left the queue of the pool, so that the server may have received it.
 * {@link checkInternals} has shown that the driver keeps this state.
 */
export function wasSent(query: RunningQuery): boolean {
  return (query as unknown as QueryInternals).state !== null;
}

/**
 * Makes a query that was not sent harmless. It is not cancelled: postgres.js would never again use
 * a connection that it opens for a cancelled query (connection.js, ReadyForQuery).
 */
export function disarm(query: RunningQuery): void {
  const internals = query as unknown as QueryInternals;
  internals.strings = ['select 1'];
  internals.args = [];
}

/** The error for a driver whose internals are different. */
export function unknownDriver(): SessionError {
  return new SessionError(
    'STORE_UNAVAILABLE',
    'The installed version of the driver postgres works differently from 3.4.9, which @mcp-session/postgres relies on; run npm install postgres@3.4.9 and report its version',
  );
}
