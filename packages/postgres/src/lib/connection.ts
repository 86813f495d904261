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
import type { Sql } from 'postgres';
import { attempt, type Failure, type Running } from './client/attempt.ts';
import type { Client } from './client.ts';
import { isConflict, isReadOnly, isRefusedParameter, translateError } from './errors.ts';
import { placeTables, type Tables } from './schema.ts';

/** How much longer than the server has for a statement its answer may take, in milliseconds. */
const GRACE_MS = 5_000;
/** How long a statement may take on a client whose own timeout we do not know, in milliseconds. */
const BORROWED_TIMEOUT_MS = 60_000;
/** How often a statement is tried that the database rolls back because of another one. */
const CONFLICT_ATTEMPTS = 20;
/** The longest wait between two of these attempts, in milliseconds. */
const CONFLICT_PAUSE_MS = 50;

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
    return this.#run((client) => client.unsafe(sql), timeoutMs, false);
  }

  /** Waits for what postgres.js does beside the pool, no longer than for a statement. */
  async bounded<T>(work: PromiseLike<T>): Promise<T> {
    return await new Promise((resolve, reject) => {
      const give = () =>
        reject(
          new SessionError('STORE_UNAVAILABLE', 'Session store did not answer', { retryable: true, store: this.label }),
        );
      const timer = setTimeout(give, this.#timeoutMs).unref();
      Promise.resolve(work)
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
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
      const start = (client: Sql) =>
        client.unsafe(
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

  #run(start: (client: Sql) => Running, timeoutMs: number, writes: boolean): Running {
    const running: Running = new Promise((resolve, reject) => {
      let attempts = 0;
      const begin = (): void =>
        attempt(this.client, start, timeoutMs, (outcome) => {
          if ('rows' in outcome) {
            this.#underWay.delete(running);
            resolve(outcome.rows);
            return;
          }
          const pauseMs = this.#isWorthAnother(outcome, ++attempts);
          if (pauseMs !== undefined) {
            setTimeout(begin, pauseMs);
            return;
          }
          this.#underWay.delete(running);
          reject(
            translateError(outcome.error, this, {
              writes: writes && outcome.sent,
              refusesTls: outcome.lane?.refusesTls,
            }),
          );
        });
      begin();
    });
    this.#underWay.add(running);
    return running;
  }

  /** @returns In how many milliseconds it is tried again, at once or where nothing was written; `undefined`: not at all. */
  #isWorthAnother({ error, lane }: Failure, attempts: number): number | undefined {
    // Another server may have become the primary. The next call finds out.
    if (isReadOnly(error)) lane?.distrust();
    // PgBouncer refuses the whole connection for it (its setting ignore_startup_parameters).
    if (isRefusedParameter(error) && lane?.omitSettings() === true) return 0;
    // Nothing but waiting for each other is wrong with them. Where isolation is stricter than ours by default, as with a client that was given, any two that meet may be told so.
    if (isConflict(error) && attempts < CONFLICT_ATTEMPTS)
      return Math.random() * Math.min(2 ** attempts, CONFLICT_PAUSE_MS);
    return undefined;
  }
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
