import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { Options, Sql } from 'postgres';
import type { PoolOptions } from '../options.ts';
import { checkInternals, type ParsedOptions, type UntypedOptions } from './driver-internals.ts';
import type { Driver } from './driver.ts';
import { labelOf, type Client, type Lane } from './lanes.ts';

/** Time limit for opening a connection, in seconds. */
const CONNECT_TIMEOUT_S = 10;
/** An unused connection is closed after this time, in seconds. */
const IDLE_TIMEOUT_S = 60;
/** The shortest time between two replacements of all connections, in milliseconds. */
const REPLACE_EVERY_MS = 1_000;

type Use = (lane: Lane) => void;

/**
 * Our own pool. Each lane is a client of postgres.js with a single connection, so that we know
 * which connection a statement uses, and since when. In a pool of postgres.js, a queued statement
 * looks like one that the server does not answer, and the hanging connection cannot be identified.
 */
export class Pool implements Client {
  readonly label: string;
  readonly maxConnections: number;
  readonly statementTimeoutMs: number;
  /** The name of all connections of this pool on the server, and of no others. */
  readonly applicationName: string = `mcp-session-${randomBytes(16).toString('hex')}`;
  readonly #options: PoolOptions;
  readonly #driver: Driver;
  readonly #lanes: PoolLane[] = [];
  /**
   * A stack: the lane used last is used next, so that superfluous connections go idle and are
   * closed.
   */
  readonly #free: PoolLane[] = [];
  readonly #waiting = new Set<Use>();
  readonly #sockets = new Set<Socket>();
  #listening: Sql | undefined;
  #sendsSettings = true;
  /** Counts how often the open connections had to be replaced. */
  #generation = 0;
  #replacedLately = false;

  constructor(options: PoolOptions, driver: Driver) {
    this.#options = options;
    this.#driver = driver;
    this.maxConnections = options.maxConnections;
    this.statementTimeoutMs = options.statementTimeoutMs;
    const lane = new PoolLane(this);
    this.#lanes.push(lane);
    this.#free.push(lane);
    checkInternals(lane.sql);
    this.label = labelOf(lane.sql);
  }

  take(use: Use): () => void {
    let lane = this.#free.pop();
    if (lane === undefined && this.#lanes.length < this.maxConnections) this.#lanes.push((lane = new PoolLane(this)));
    if (lane === undefined) {
      this.#waiting.add(use);
      return () => void this.#waiting.delete(use);
    }
    lane.replaceIfStale();
    use(lane);
    return () => undefined;
  }

  listen(...args: Parameters<Client['listen']>): ReturnType<Client['listen']> {
    this.#listening ??= this.open();
    return this.#listening.listen(...args);
  }

  async close(): Promise<void> {
    // No statement is running. With a timeout, postgres.js would still wait for a connection that
    // was lost during a query (3.4.9, connection.js, end).
    const clients = [...this.#lanes.map(({ sql }) => sql), ...(this.#listening === undefined ? [] : [this.#listening])];
    await Promise.all(clients.map((sql) => sql.end({ timeout: 0 })));
    // The goodbye is written. If the server is gone, its socket must not keep the process alive.
    for (const socket of this.#sockets) socket.unref();
  }

  /** Called by a lane. Passes it to the next waiting statement. */
  giveBack(lane: PoolLane): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free.push(lane);
      return;
    }
    this.#waiting.delete(next);
    lane.replaceIfStale();
    next(lane);
  }

  /** A connection of an earlier generation is replaced before its next use. */
  get generation(): number {
    return this.#generation;
  }

  get sendsSettings(): boolean {
    return this.#sendsSettings;
  }

  omitSettings(): void {
    this.#sendsSettings = false;
  }

  distrust(): void {
    if (this.#replacedLately) return;
    this.#generation++;
    this.#replacedLately = true;
    setTimeout(() => (this.#replacedLately = false), REPLACE_EVERY_MS).unref();
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
      // The default of postgres.js pauses for up to 20 seconds.
      backoff: (attempt) => (0.5 + Math.random() / 2) * Math.min(0.05 * 2 ** attempt, 1),
      // Saves a query on each new connection, see literals.ts.
      fetch_types: false,
      onnotice: () => undefined,
      connection: {
        application_name: this.applicationName,
        ...(this.#sendsSettings && {
          statement_timeout: statementTimeoutMs,
          // Under a stricter default of the role or database, a statement that waits for a row
          // fails (docs/decisions/038).
          default_transaction_isolation: 'read committed',
        }),
      },
      // With several hosts, each attempt goes to the next host.
      socket: (parsed) => this.#connect(parsed, attempts++, lane),
    };
    try {
      return url === undefined ? this.#driver(options) : this.#driver(url, options);
    } catch {
      // Without the driver's message, see url.ts.
      throw new TypeError(
        'Option url, or a variable PG… of the environment, has a setting that postgres.js does not take',
      );
    }
  }

  // Returns the socket before it is connected: postgres.js never recovers a connection whose socket
  // is refused here (3.4.9, createSocket). Writes wait in the socket meanwhile.
  #connect({ host, port, path }: ParsedOptions, attempts: number, lane: PoolLane | undefined): Socket {
    const index = attempts % host.length;
    const target = { host: host[index] ?? 'localhost', port: port[index] ?? 5432 };
    const socket = path === false ? connect({ ...target, noDelay: true }) : connect(path);
    // Not by a listener: postgres.js removes all listeners when TLS begins.
    for (const old of this.#sockets) if (old.destroyed) this.#sockets.delete(old);
    this.#sockets.add(socket);
    lane?.connecting(socket);
    // postgres.js reads the host name for the server's certificate from the socket.
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
  /** Whether the server has sent anything on the socket. */
  #hasHeard = false;
  /**
   * Whether the connection was lost during a statement. postgres.js then keeps the error with which
   * the server said goodbye, and the first statement on the next connection would fail with it
   * (3.4.9, connection.js, errorResponse).
   */
  #isLost = false;
  #sendsSettings: boolean;

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#sendsSettings = pool.sendsSettings;
    this.sql = pool.open(this);
  }

  connecting(socket: Socket): void {
    this.#socket = socket;
    this.#generation = this.#pool.generation;
    this.mayWait = true;
    this.refusesTls = false;
    this.#hasHeard = false;
    // The answer to a TLS request is the single letter N or S
    // (postgresql.org/docs/current/protocol-flow.html, "SSL Session Encryption"). No other message
    // begins with N alone.
    socket.once('data', (bytes: Buffer) => {
      this.#hasHeard = true;
      this.refusesTls = bytes.length === 1 && bytes[0] === 78;
    });
  }

  release(answered: boolean): void {
    if (answered) this.mayWait = false;
    else if (this.#hasHeard && this.#socket?.destroyed === true) this.#isLost = true;
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
    return this.#sendsSettings;
  }

  /**
   * Replaces a client that must not be used again. Closing only its socket would not do:
   * postgres.js would send the next statement before it notices.
   */
  replaceIfStale(): void {
    const isOld = this.#generation < this.#pool.generation && this.#socket?.destroyed === false;
    if (!isOld && !this.#isLost && this.#sendsSettings === this.#pool.sendsSettings) return;
    void this.sql.end({ timeout: 0 });
    this.#socket?.unref();
    this.#isLost = false;
    this.#sendsSettings = this.#pool.sendsSettings;
    this.#socket = undefined;
    this.mayWait = true;
    this.sql = this.#pool.open(this);
  }
}
