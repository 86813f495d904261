import { SessionError } from '@mcp-session/core';
import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type Compilable,
  type CompiledQuery,
  type RawBuilder,
} from 'kysely';
import type { Client } from './client.ts';
import { isRefusedParameter, translateError } from './errors.ts';
import { placeTables, type Tables } from './schema.ts';

/** How much longer than the server has for a statement its answer may take, in milliseconds. */
const GRACE_MS = 5_000;
/** How long a statement may take on a client whose own timeout we do not know, in milliseconds. */
const BORROWED_TIMEOUT_MS = 60_000;

/** A query of postgres.js that runs. */
type Running = Promise<readonly unknown[]>;

/** A query that was compiled once. Each run is one statement and one round trip. */
export type Statement<Args, Result> = (args: Args) => Promise<readonly Result[]>;

type Build<Args, Result> = (queries: Kysely<Tables>, args: Args) => Compilable<Result> | RawBuilder<Result>;

/** Statements that Kysely compiles and postgres.js runs, and the bound on how long each may take. */
export class Connection {
  readonly client: Client;
  readonly schema: string;
  readonly tablePrefix: string;
  /** Compiles queries and runs none. */
  readonly queries: Kysely<Tables>;
  readonly #underWay = new Set<Running>();

  constructor(client: Client, schema: string, tablePrefix: string) {
    this.client = client;
    this.schema = schema;
    this.tablePrefix = tablePrefix;
    this.queries = new Kysely<Tables>({
      dialect: {
        createAdapter: () => new PostgresAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: (db) => new PostgresIntrospector(db),
        createQueryCompiler: () => new PostgresQueryCompiler(),
      },
      plugins: [placeTables(schema, tablePrefix)],
    });
  }

  get label(): string {
    return this.client.label;
  }

  reading<Args extends object, Result>(build: Build<Args, Result>): Statement<Args, Result> {
    return this.#statement(build, false);
  }

  /** Of a write it is not known whether it has happened when the connection is lost. */
  writing<Args extends object, Result>(build: Build<Args, Result>): Statement<Args, Result> {
    return this.#statement(build, true);
  }

  /**
   * Runs SQL that comes without parameters, several statements as one transaction.
   *
   * @param timeoutMs Default: what a single statement may take.
   */
  async execute(sql: string, timeoutMs: number = this.#timeoutMs): Promise<readonly unknown[]> {
    return this.#run(() => this.client.sql.unsafe(sql), timeoutMs, false);
  }

  /** Waits for what postgres.js does beside the pool, no longer than for a statement. */
  async bounded<T>(work: Promise<T>): Promise<T> {
    return await new Promise((resolve, reject) => {
      const give = () =>
        reject(new SessionError('STORE_UNAVAILABLE', `${this.label} did not answer`, { retryable: true }));
      const timer = setTimeout(give, this.#timeoutMs).unref();
      work.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  /** Waits for what is under way, which ends in bounded time, and closes the client if it is ours. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    await this.client.close();
  }

  #statement<Args extends object, Result>(build: Build<Args, Result>, writes: boolean): Statement<Args, Result> {
    const { sql, parameters } = withoutRepeats(build(this.queries, placeholders as Args).compile(this.queries));
    return (args) => {
      // A new array each time: postgres.js replaces the values in it by what it sends.
      const start = () =>
        this.client.sql.unsafe(
          sql,
          parameters.map((value) =>
            value instanceof Placeholder ? (args[value.name as keyof Args] ?? null) : value,
          ) as string[],
          { prepare: true },
        );
      return this.#run(start, this.#timeoutMs, writes) as Promise<readonly Result[]>;
    };
  }

  get #timeoutMs(): number {
    const { statementTimeoutMs } = this.client;
    return statementTimeoutMs === undefined ? BORROWED_TIMEOUT_MS : statementTimeoutMs + GRACE_MS;
  }

  // A single promise for each statement: the wait for a server is short, and what is done before and after it counts. A time limit on the server alone is of no use
  // when the server, or the network to it, is what hangs.
  #run(start: () => Running, timeoutMs: number, writes: boolean, isSecond = false): Promise<readonly unknown[]> {
    return new Promise((resolve, reject) => {
      const query = start();
      this.#underWay.add(query);
      const timer = setTimeout(() => {
        this.#underWay.delete(query);
        reject(this.#giveUp(query, timeoutMs, writes));
      }, timeoutMs).unref();
      const ended = (): void => {
        clearTimeout(timer);
        this.#underWay.delete(query);
      };
      query.then(
        (rows) => {
          ended();
          resolve(rows);
        },
        (error: unknown) => {
          ended();
          // PgBouncer refuses the whole connection for it (its setting ignore_startup_parameters). Nothing was sent yet.
          if (!isSecond && isRefusedParameter(error) && this.client.omitStatementTimeout())
            this.#run(start, timeoutMs, writes, true).then(resolve, reject);
          else reject(translateError(error, this, { writes: writes && wasSent(query) }));
        },
      );
    });
  }

  #giveUp(query: Running, timeoutMs: number, writes: boolean): SessionError {
    if (!wasSent(query)) {
      disarm(query);
      return new SessionError(
        'STORE_BUSY',
        `${this.label} had no free connection for ${timeoutMs} ms: all were in use, or none could be opened`,
        { retryable: true },
      );
    }
    this.client.drop();
    return new SessionError('STORE_UNAVAILABLE', `${this.label} did not answer for ${timeoutMs} ms`, {
      retryable: true,
      outcomeUnknown: writes,
    });
  }
}

/** Whether a query has left the queue of the pool. postgres.js notes then to which backend it was sent (3.4.9, connection.js, execute). */
function wasSent(query: Running): boolean {
  return (query as { readonly state?: unknown }).state !== null;
}

/**
 * Makes a query harmless that was not sent yet. It is not cancelled: if a new connection is being opened for it, postgres.js would never
 * use that connection for anything (3.4.9, connection.js, ReadyForQuery).
 */
function disarm(query: Running): void {
  void Object.assign(query, { strings: ['select 1'], args: [] });
}

/** Gives a value one parameter, however many places of the query it is used in: each is written, sent and read by itself. */
function withoutRepeats({ sql, parameters }: CompiledQuery): Pick<CompiledQuery, 'sql' | 'parameters'> {
  const kept: unknown[] = [];
  const same = (a: unknown) => (b: unknown) =>
    a instanceof Placeholder && b instanceof Placeholder && a.name === b.name;
  // Not in a quoted name, which may hold anything.
  const text = sql.replaceAll(/"[^"]*"|\$(\d+)/g, (found, place: string | undefined) => {
    if (place === undefined) return found;
    const value = parameters[Number(place) - 1];
    const index = kept.findIndex(same(value));
    return `$${index === -1 ? kept.push(value) : index + 1}`;
  });
  return { sql: text, parameters: kept };
}

/** Stands in a query that is compiled for a value that comes with each run. */
class Placeholder {
  readonly name: string | symbol;

  constructor(name: string | symbol) {
    this.name = name;
  }
}

const placeholders: object = new Proxy({}, { get: (_, name) => new Placeholder(name) });
