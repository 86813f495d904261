import { connect, type Socket } from 'node:net';
import type { Options, Sql } from 'postgres';
import { labelOf, type Client, type Lane, type ParsedOptions } from '../client.ts';
import type { Driver } from './driver.ts';
import type { PoolOptions } from '../options.ts';

/** How long a new connection may take, in seconds. */
const CONNECT_TIMEOUT_S = 10;
/** After so many seconds without use a connection is closed. */
const IDLE_TIMEOUT_S = 60;
/** How often all connections may be replaced because of what one of them said, in milliseconds. */
const RENEW_EVERY_MS = 1_000;

/** Options of postgres.js that its types leave out (3.4.9, index.js, parseOptions). */
interface UntypedOptions {
  readonly max_pipeline: number;
  readonly socket: (options: ParsedOptions) => Socket;
}

type Use = (lane: Lane) => void;

/**
 * Connections of our own. Each is a client of postgres.js with one connection, so that it is known which one a statement is on, and since when: in a pool of postgres.js a statement
 * that waits for its turn looks like one that the server does not answer, and the connection that hangs cannot be told from the others.
 */
export class Pool implements Client {
  readonly label: string;
  readonly maxConnections: number;
  readonly statementTimeoutMs: number;
  readonly #options: PoolOptions;
  readonly #driver: Driver;
  readonly #lanes: PoolLane[] = [];
  /** What was used last is used next, so that those that are not needed grow old and are closed. */
  readonly #free: PoolLane[] = [];
  readonly #waiting = new Set<Use>();
  readonly #sockets = new Set<Socket>();
  #listening: Sql | undefined;
  #tellsSettings = true;
  /** Counts how often connections that were open had to be replaced. */
  #generation = 0;
  #renewedLately = false;

  constructor(options: PoolOptions, driver: Driver) {
    this.#options = options;
    this.#driver = driver;
    this.maxConnections = options.maxConnections;
    this.statementTimeoutMs = options.statementTimeoutMs;
    const lane = new PoolLane(this);
    this.#lanes.push(lane);
    this.#free.push(lane);
    this.label = labelOf(lane.sql);
  }

  take(use: Use): () => void {
    let lane = this.#free.pop();
    if (lane === undefined && this.#lanes.length < this.maxConnections) this.#lanes.push((lane = new PoolLane(this)));
    if (lane === undefined) {
      this.#waiting.add(use);
      return () => void this.#waiting.delete(use);
    }
    lane.renew();
    use(lane);
    return () => undefined;
  }

  listen(...args: Parameters<Client['listen']>): ReturnType<Client['listen']> {
    this.#listening ??= this.open();
    return this.#listening.listen(...args);
  }

  async close(): Promise<void> {
    // Nothing is under way any more. Given time, postgres.js would wait for it: for a connection that was lost under a query (3.4.9, connection.js, end).
    const clients = [...this.#lanes.map(({ sql }) => sql), ...(this.#listening === undefined ? [] : [this.#listening])];
    await Promise.all(clients.map((sql) => sql.end({ timeout: 0 })));
    // It has said goodbye. If the server is gone, that must not keep the process alive until TCP gives up.
    for (const socket of this.#sockets) socket.unref();
  }

  /** For its lanes. */
  giveBack(lane: PoolLane): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free.push(lane);
      return;
    }
    this.#waiting.delete(next);
    lane.renew();
    next(lane);
  }

  /** Connections of an earlier one are replaced before they are used again. */
  get generation(): number {
    return this.#generation;
  }

  get tellsSettings(): boolean {
    return this.#tellsSettings;
  }

  omitSettings(): void {
    this.#tellsSettings = false;
  }

  distrust(): void {
    if (this.#renewedLately) return;
    this.#generation++;
    this.#renewedLately = true;
    setTimeout(() => (this.#renewedLately = false), RENEW_EVERY_MS).unref();
  }

  open(lane?: PoolLane): Sql {
    const { url, prepare, statementTimeoutMs } = this.#options;
    let attempts = 0;
    const options: Options<Record<string, never>> & UntypedOptions = {
      max: 1,
      prepare,
      connect_timeout: CONNECT_TIMEOUT_S,
      idle_timeout: IDLE_TIMEOUT_S,
      max_pipeline: 0,
      // Its own default waits up to 20 seconds before it tries again.
      backoff: (attempt) => (0.5 + Math.random() / 2) * Math.min(0.05 * 2 ** attempt, 1),
      // One query less for each connection. See literals.ts.
      fetch_types: false,
      onnotice: () => undefined,
      connection: {
        application_name: 'mcp-session',
        ...(this.#tellsSettings && {
          statement_timeout: statementTimeoutMs,
          // A role or database may have a stricter default. A statement that waits for a row then fails (docs/decisions/038).
          default_transaction_isolation: 'read committed',
        }),
      },
      // With several hosts, each attempt goes to the next one.
      socket: (parsed) => this.#connect(parsed, attempts++, lane),
    };
    try {
      return url === undefined ? this.#driver(options) : this.#driver(url, options);
    } catch {
      // Not its own words: see url.ts.
      throw new TypeError(
        'Option url, or a variable PG… of the environment, has a setting that postgres.js does not take',
      );
    }
  }

  // Returned before it is connected: postgres.js loses a connection for good whose socket is refused here (3.4.9, createSocket),
  // and writes wait in the socket until it is.
  #connect({ host, port, path }: ParsedOptions, attempts: number, lane: PoolLane | undefined): Socket {
    const index = attempts % host.length;
    const target = { host: host[index] ?? 'localhost', port: port[index] ?? 5432 };
    const socket = path === false ? connect({ ...target, noDelay: true }) : connect(path);
    // Not by a listener: postgres.js removes those of others when it begins TLS.
    for (const old of this.#sockets) if (old.destroyed) this.#sockets.delete(old);
    this.#sockets.add(socket);
    lane?.connecting(socket);
    // Where postgres.js looks for the name that the server's certificate must have.
    return Object.assign(socket, target);
  }
}

class PoolLane implements Lane {
  sql: Sql;
  mayWait = true;
  refusesTls = false;
  readonly #pool: Pool;
  #socket: Socket | undefined;
  #generation = 0;
  #tellsSettings: boolean;

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#tellsSettings = pool.tellsSettings;
    this.sql = pool.open(this);
  }

  connecting(socket: Socket): void {
    this.#socket = socket;
    this.#generation = this.#pool.generation;
    this.mayWait = true;
    this.refusesTls = false;
    // The whole answer to the request for TLS is one letter (postgresql.org/docs/current/protocol-flow.html, "SSL Session Encryption"). An answer to anything else begins with another one.
    socket.once('data', (bytes: Buffer) => (this.refusesTls = bytes.length === 1 && bytes[0] === 78));
  }

  release(answered: boolean): void {
    if (answered) this.mayWait = false;
    this.#pool.giveBack(this);
  }

  drop(): void {
    this.#socket?.destroy();
    this.#pool.distrust();
  }

  distrust(): void {
    this.#pool.distrust();
  }

  omitSettings(): boolean {
    this.#pool.omitSettings();
    return this.#tellsSettings;
  }

  /** Puts a new client in the place of one that is not to be used again. Not by its socket: postgres.js would send the next statement before it knows that it is closed. */
  renew(): void {
    const isOld = this.#generation < this.#pool.generation && this.#socket?.destroyed === false;
    if (!isOld && this.#tellsSettings === this.#pool.tellsSettings) return;
    void this.sql.end({ timeout: 0 });
    this.#socket?.unref();
    this.#tellsSettings = this.#pool.tellsSettings;
    this.#socket = undefined;
    this.mayWait = true;
    this.sql = this.#pool.open(this);
  }
}
