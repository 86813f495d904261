import type { Sql } from 'postgres';
import { parsedOptions } from './driver-internals.ts';

/** One connection of our own pool, or a borrowed client. It takes one statement at a time. */
export interface Lane {
  readonly sql: Sql;
  /**
   * True if a statement may wait here before it is sent: for a new connection, or for one of a
   * borrowed client, whose pool is not ours.
   */
  readonly mayWait: boolean;
  /** True if the server has refused to speak TLS. */
  readonly refusesTls: boolean;
  /** Gives the lane back. @param answered True if the server has answered on it. */
  release(answered: boolean): void;
  /** Cuts a connection that does not answer. The statement on it fails, and no other. */
  drop(): void;
  /**
   * Reports that the server may no longer be the right one. Connections as old as this one are
   * replaced before their next use.
   */
  distrust(): void;
  /**
   * Reconnects without the settings in the startup message. @returns True if that changes anything.
   */
  omitSettings(): boolean;
}

/** A postgres.js client: our own pool, or a borrowed one. */
export interface Client {
  /** Names the database in errors, for operators, without user and password. */
  readonly label: string;
  readonly maxConnections: number;
  /**
   * The server's time limit for a statement, in milliseconds. `undefined`: its owner has set the
   * client up.
   */
  readonly statementTimeoutMs: number | undefined;
  /**
   * The name of all its connections on the server, and of no others; `undefined`: its owner has
   * named them.
   */
  readonly applicationName: string | undefined;
  /**
   * Calls back when a connection is free, at once if one is. @returns A function that withdraws the
   * request.
   */
  take(use: (lane: Lane) => void): () => void;
  /**
   * Listens on a connection of its own.
   *
   * @param onListen Called whenever listening starts: again after the connection was lost.
   */
  listen(
    channel: string,
    onNotify: (payload: string) => void,
    onListen: () => void,
  ): PromiseLike<{ unlisten(): Promise<unknown> }>;
  close(): Promise<void>;
}

/** Names a database for operators. */
export function labelOf(sql: Sql): string {
  const { host, port, path, database } = parsedOptions(sql);
  const place = path === false ? host.map((name, index) => `${name}:${port[index]}`).join(', ') : path;
  return `PostgreSQL database ${JSON.stringify(database)} at ${place}`;
}
