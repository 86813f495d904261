import type { Sql } from 'postgres';
import type { PostgresClient } from './options.ts';

/** One connection of a pool of our own, or a client that was given. It takes one statement at a time. */
export interface Lane {
  readonly sql: Sql;
  /** Whether a statement may wait here before it is sent: for a new connection, or for one of a client whose pool is not ours. */
  readonly mayWait: boolean;
  /** Whether the server has refused to speak TLS. */
  readonly refusesTls: boolean;
  /** Gives it back. @param answered Whether the server has answered on it. */
  release(answered: boolean): void;
  /** Cuts a connection that does not answer: what is under way on it fails, and on no other. */
  drop(): void;
  /** Says that the server at the other end may not be the one to talk to any more: connections as old as this one are replaced before they are used again. */
  distrust(): void;
  /** Connects again without the settings that come with a connection. @returns Whether that makes a difference. */
  omitSettings(): boolean;
}

/** A postgres.js client, and what differs between one of our own and one that was given. */
export interface Client {
  /** Names the database to operators: without user and password. */
  readonly label: string;
  readonly maxConnections: number;
  /** The time that the server has for a statement, as it was told. `undefined`: the client is set up by its owner. */
  readonly statementTimeoutMs: number | undefined;
  /** Calls back when a connection is free, now where one is. @returns Takes the request back. */
  take(use: (lane: Lane) => void): () => void;
  /** Listens on a connection of its own. @param onListen Is called each time that it listens: again after the connection was lost. */
  listen(
    channel: string,
    onNotify: (payload: string) => void,
    onListen: () => void,
  ): PromiseLike<{ unlisten(): Promise<unknown> }>;
  close(): Promise<void>;
}

/** What postgres.js has made of its options; its types leave some of them out (3.4.9, index.js, parseOptions). */
export interface ParsedOptions {
  readonly host: readonly string[];
  readonly port: readonly number[];
  /** `false` where the server is not reached by a socket file. */
  readonly path: string | false;
  readonly database: string;
  readonly max: number;
}

/** A client that was given. It is left open, and its connections are its owner's. */
export function borrow(given: PostgresClient): Client {
  // The option's type describes the part of a client that callers must see, `resolveOptions` has checked that it is one.
  const sql = given as Sql;
  const lane: Lane = {
    sql,
    mayWait: true,
    refusesTls: false,
    release: () => undefined,
    drop: () => undefined,
    distrust: () => undefined,
    omitSettings: () => false,
  };
  return {
    label: labelOf(sql),
    maxConnections: parsed(sql).max,
    statementTimeoutMs: undefined,
    take: (use) => {
      use(lane);
      return () => undefined;
    },
    listen: (...args) => sql.listen(...args),
    close: async () => undefined,
  };
}

export function labelOf(sql: Sql): string {
  const { host, port, path, database } = parsed(sql);
  const place = path === false ? host.map((name, index) => `${name}:${port[index]}`).join(', ') : path;
  return `PostgreSQL database ${JSON.stringify(database)} at ${place}`;
}

function parsed(sql: Sql): ParsedOptions {
  return sql.options as unknown as ParsedOptions;
}
