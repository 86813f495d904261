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
import { attempt, type Failure } from './client/attempt.ts';
import type { RunningQuery } from './client/driver-internals.ts';
import type { Client } from './client/lanes.ts';
import { isConflict, isReadOnly, isRefusedParameter, translateError } from './errors.ts';
import { placeTables, type Tables } from './schema.ts';

/** How long after the server's own time limit its answer may arrive, in milliseconds. */
const GRACE_MS = 5_000;
/**
 * How long a statement may take on a borrowed client, whose timeout is unknown, in milliseconds.
 */
const BORROWED_TIMEOUT_MS = 60_000;
/** Attempts at a statement that the database rolls back because of a concurrent one. */
const CONFLICT_ATTEMPTS = 20;
/** The longest pause between two of these attempts, in milliseconds. */
const CONFLICT_PAUSE_MS = 50;

/** A query that is compiled once. Each run is one statement and one round trip. */
export type Statement<Args, Result> = (args: Args) => Promise<readonly Result[]>;

type Build<Args, Result> = (queries: Kysely<Tables>, args: Args) => Compilable<Result> | RawBuilder<Result>;

/** Statements that Kysely compiles and postgres.js runs, each within a time limit. */
export class Connection {
  readonly client: Client;
  readonly schema: string;
  readonly tablePrefix: string;
  /** Compiles queries. It runs none. */
  readonly queries: Kysely<Tables>;
  readonly #running = new Set<RunningQuery>();

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

  /** Like {@link reading}, but if the connection is lost the outcome is unknown. */
  writing<Args extends object, Result>(build: Build<Args, Result>): Statement<Args, Result> {
    return this.#statement(build, true);
  }

  /**
   * Runs SQL without parameters. Several statements make one transaction.
   *
   * @param timeoutMs Default: the limit of a single statement.
   */
  async execute(sql: string, timeoutMs: number = this.#timeoutMs): Promise<readonly unknown[]> {
    return this.#run((client) => client.unsafe(sql), timeoutMs, false);
  }

  /** Waits for work of postgres.js outside the pool, at most as long as for a statement. */
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

  /**
   * Waits for the running statements, which end in bounded time, and closes the client if it is
   * ours.
   */
  async close(): Promise<void> {
    await Promise.allSettled(this.#running);
    await this.client.close();
  }

  #statement<Args extends object, Result>(build: Build<Args, Result>, writes: boolean): Statement<Args, Result> {
    const { sql, parameters } = withoutRepeats(build(this.queries, placeholders as Args).compile(this.queries));
    return (args) => {
      // A new array each time: postgres.js replaces its values by the serialized ones.
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

  #run(start: (client: Sql) => RunningQuery, timeoutMs: number, writes: boolean): RunningQuery {
    const running: RunningQuery = new Promise((resolve, reject) => {
      let attempts = 0;
      const begin = (): void =>
        attempt(this.client, start, timeoutMs, (outcome) => {
          if ('rows' in outcome) {
            this.#running.delete(running);
            resolve(outcome.rows);
            return;
          }
          const pauseMs = this.#retryPauseMs(outcome, ++attempts);
          if (pauseMs !== undefined) {
            // Keeps the process alive, as the statement does: a caller awaits it.
            setTimeout(begin, pauseMs);
            return;
          }
          this.#running.delete(running);
          reject(
            translateError(outcome.error, this, {
              writes: writes && outcome.sent,
              refusesTls: outcome.lane?.refusesTls,
            }),
          );
        });
      begin();
    });
    this.#running.add(running);
    return running;
  }

  /** @returns The pause before the next attempt, in milliseconds; `undefined` if there is none. */
  #retryPauseMs({ error, lane }: Failure, attempts: number): number | undefined {
    // Another server may have become the primary. The next call reconnects and finds out.
    if (isReadOnly(error)) lane?.distrust();
    // PgBouncer refuses the whole connection for a startup parameter (ignore_startup_parameters).
    if (isRefusedParameter(error) && lane?.omitSettings() === true) return 0;
    // The statement is fine and nothing was written. Under a stricter isolation level, which a
    // borrowed client may have, any two statements on one session can conflict.
    if (isConflict(error) && attempts < CONFLICT_ATTEMPTS) {
      return Math.random() * Math.min(2 ** attempts, CONFLICT_PAUSE_MS);
    }
    return undefined;
  }
}

/** Merges repeated uses of one placeholder into one parameter, so that its value is sent once. */
function withoutRepeats({ sql, parameters }: CompiledQuery): Pick<CompiledQuery, 'sql' | 'parameters'> {
  const kept: unknown[] = [];
  const same = (a: unknown) => (b: unknown) =>
    a instanceof Placeholder && b instanceof Placeholder && a.name === b.name;
  // Skips quoted names, which may contain anything.
  const text = sql.replaceAll(/"[^"]*"|\$(\d+)/g, (found, place: string | undefined) => {
    if (place === undefined) return found;
    const value = parameters[Number(place) - 1];
    const index = kept.findIndex(same(value));
    return `$${index === -1 ? kept.push(value) : index + 1}`;
  });
  return { sql: text, parameters: kept };
}

/** Marks, in a compiled query, a value that each run passes. */
class Placeholder {
  readonly name: string | symbol;

  constructor(name: string | symbol) {
    this.name = name;
  }
}

const placeholders: object = new Proxy({}, { get: (_, name) => new Placeholder(name) });
