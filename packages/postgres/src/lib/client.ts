import { connect, type Socket } from 'node:net';
import postgres, { type Options, type Sql } from 'postgres';
import type { PoolOptions, PostgresClient } from './options.ts';

/** How long a new connection may take, in seconds. */
const CONNECT_TIMEOUT_S = 10;
/** After so many seconds without use a connection is closed. */
const IDLE_TIMEOUT_S = 60;

/** A postgres.js client, and what differs between one of our own and one that was given. */
export interface Client {
  readonly sql: Sql;
  /** Names the database in messages: without user and password. */
  readonly label: string;
  readonly maxConnections: number;
  /** The time that the server has for a statement, as it was told. `undefined`: the client is set up by its owner. */
  readonly statementTimeoutMs: number | undefined;
  /** Drops connections that do not answer; what is under way on any of them fails. */
  drop(): void;
  /** Opens the pool again without `statement_timeout`. @returns Whether that makes a difference. */
  omitStatementTimeout(): boolean;
  close(): Promise<void>;
}

/** Options of postgres.js that its types leave out (3.4.9, index.js, parseOptions). */
interface UntypedOptions {
  readonly max_pipeline: number;
  readonly socket: (options: ParsedOptions) => Socket;
}

interface ParsedOptions {
  readonly host: readonly string[];
  readonly port: readonly number[];
  /** `false` where the server is not reached by a socket file. */
  readonly path: string | false;
  readonly database: string;
  readonly max: number;
}

export function clientOf(given: PostgresClient | PoolOptions): Client {
  return 'unsafe' in given ? borrow(given) : new Pool(given);
}

function borrow(given: PostgresClient): Client {
  // The option's type describes the part of a client that callers must see, `resolveOptions` has checked that it is one.
  const sql = given as Sql;
  return {
    sql,
    label: labelOf(sql),
    maxConnections: parsed(sql).max,
    statementTimeoutMs: undefined,
    drop: () => undefined,
    omitStatementTimeout: () => false,
    close: async () => undefined,
  };
}

class Pool implements Client {
  sql: Sql;
  readonly label: string;
  readonly maxConnections: number;
  readonly statementTimeoutMs: number;
  readonly #options: PoolOptions;
  readonly #sockets = new Set<Socket>();
  #attempts = 0;
  #tellsTimeout = true;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.maxConnections = options.maxConnections;
    this.statementTimeoutMs = options.statementTimeoutMs;
    this.sql = this.#open();
    this.label = labelOf(this.sql);
  }

  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  omitStatementTimeout(): boolean {
    // Of several calls that fail together, the first has opened the pool again for all.
    if (this.#tellsTimeout) {
      this.#tellsTimeout = false;
      void this.sql.end({ timeout: 0 });
      this.sql = this.#open();
    }
    return true;
  }

  async close(): Promise<void> {
    // Nothing is under way any more. Given time, postgres.js would wait for it: for a connection that was lost under a query (3.4.9, connection.js, end).
    await this.sql.end({ timeout: 0 });
    // It has said goodbye. If the server is gone, that must not keep the process alive until TCP gives up.
    for (const socket of this.#sockets) socket.unref();
  }

  #open(): Sql {
    const { url, maxConnections, prepare, statementTimeoutMs } = this.#options;
    const options: Options<Record<string, never>> & UntypedOptions = {
      max: maxConnections,
      prepare,
      connect_timeout: CONNECT_TIMEOUT_S,
      idle_timeout: IDLE_TIMEOUT_S,
      // A statement that waits for a lock must not hold up others: each goes to a connection that is free.
      max_pipeline: 0,
      // Its own default waits up to 20 seconds before it tries again.
      backoff: (attempt) => (0.5 + Math.random() / 2) * Math.min(0.05 * 2 ** attempt, 1),
      // One query less for each connection. See literals.ts.
      fetch_types: false,
      onnotice: () => undefined,
      connection: {
        application_name: 'mcp-session',
        ...(this.#tellsTimeout && { statement_timeout: statementTimeoutMs }),
      },
      socket: (options) => this.#connect(options),
    };
    return url === undefined ? postgres(options) : postgres(url, options);
  }

  // Returned before it is connected: postgres.js loses a connection for good whose socket is refused here (3.4.9, createSocket),
  // and writes wait in the socket until it is.
  #connect({ host, port, path }: ParsedOptions): Socket {
    const index = this.#attempts++ % host.length;
    const target = { host: host[index] ?? 'localhost', port: port[index] ?? 5432 };
    const socket = path === false ? connect({ ...target, noDelay: true }) : connect(path);
    // Not by a listener: postgres.js removes those of others when it begins TLS.
    for (const old of this.#sockets) if (old.destroyed) this.#sockets.delete(old);
    this.#sockets.add(socket);
    // Where postgres.js looks for the name that the server's certificate must have.
    return Object.assign(socket, target);
  }
}

function parsed(sql: Sql): ParsedOptions {
  return sql.options as unknown as ParsedOptions;
}

function labelOf(sql: Sql): string {
  const { host, port, path, database } = parsed(sql);
  const place = path === false ? host.map((name, index) => `${name}:${port[index]}`).join(', ') : path;
  return `PostgreSQL database ${JSON.stringify(database)} at ${place}`;
}
