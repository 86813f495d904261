import type { Database, Statement as NativeStatement } from 'better-sqlite3';
import { SessionError } from '@mcp-session/core';
import { Kysely, SqliteDialect, type Compilable } from 'kysely';
import type { DatabaseFile } from './client/database-file.ts';
import type { ProcessLock } from './client/process-lock.ts';
import { translateError } from './errors.ts';
import { prefixTables, type Tables } from './schema.ts';

/** A query that is compiled and prepared once. */
export interface Statement<Args, Row> {
  get(args: Args): Row | undefined;
  all(args: Args): Row[];
  /** Gives rows one by one. No other statement may write before the iteration ends. */
  iterate(args: Args): IterableIterator<Row>;
  /** @returns The number of changed rows. */
  run(args: Args): number;
}

interface ConnectionOptions {
  /** Names the database in errors, for operators. */
  readonly store: string;
  readonly tablePrefix: string;
  /** True if we opened the handle, so that we also close it. */
  readonly owned: boolean;
  /** The file of a handle that we opened; `undefined` in memory and for a handle of the caller. */
  readonly file?: DatabaseFile | undefined;
  /** Shows that this process lives; `undefined` where `file` is. */
  readonly lock?: ProcessLock | undefined;
}

/**
 * One database handle: its transactions, and statements that Kysely compiles and better-sqlite3
 * runs.
 */
export class Connection {
  readonly handle: Database;
  /** Names the database in errors, for operators. */
  readonly store: string;
  readonly tablePrefix: string;
  readonly owned: boolean;
  /**
   * Compiles queries; only the migrator also runs them with it. It is never destroyed, because that
   * would close a handle that may belong to the caller.
   */
  readonly queries: Kysely<Tables>;
  /** `undefined` in memory and for a handle of the caller. */
  readonly lock: ProcessLock | undefined;
  readonly #file: DatabaseFile | undefined;
  #transactions: Record<'begin' | 'beginImmediate' | 'commit' | 'rollback', NativeStatement> | undefined;

  constructor(handle: Database, { store, tablePrefix, owned, file, lock }: ConnectionOptions) {
    this.handle = handle;
    this.store = store;
    this.tablePrefix = tablePrefix;
    this.owned = owned;
    this.#file = file;
    this.lock = lock;
    this.queries = new Kysely<Tables>({
      dialect: new SqliteDialect({ database: handle }),
      plugins: [prefixTables(tablePrefix)],
    });
  }

  /** Prepares the query at its first run, because its tables may not exist before. */
  statement<Args extends object, Row>(
    build: (queries: Kysely<Tables>, args: Args) => Compilable<Row>,
  ): Statement<Args, Row> {
    let prepared: Statement<Args, Row> | undefined;
    const prepare = () => (prepared ??= this.#prepare(build));
    return {
      get: (args) => prepare().get(args),
      all: (args) => prepare().all(args),
      iterate: (args) => prepare().iterate(args),
      run: (args) => prepare().run(args),
    };
  }

  /** Runs several reads on one snapshot. A single statement needs no transaction for that. */
  read<T>(operation: () => T): T {
    return this.#transaction('begin', operation);
  }

  /**
   * Runs writes, all or nothing. It takes the write lock up front: a transaction that reads first
   * and writes later fails with SQLITE_BUSY at once if another process has written in between.
   */
  write<T>(operation: () => T): T {
    this.checkFile();
    const result = this.#transaction('beginImmediate', operation);
    this.#file?.committed();
    return result;
  }

  /**
   * @throws SessionError `STORE_UNAVAILABLE` if the path no longer names the file that was opened.
   */
  checkFile(): void {
    this.#file?.check();
  }

  /** Closes a handle that we opened. The last connection to close moves the WAL into the file. */
  close(): void {
    this.lock?.release();
    if (this.owned) this.handle.close();
  }

  #transaction<T>(begin: 'begin' | 'beginImmediate', operation: () => T): T {
    if (this.handle.inTransaction) {
      throw new SessionError(
        'STORE_BUSY',
        'Session store is inside a transaction of the owner of its handle; do not keep one open across an await',
        { retryable: true, store: this.store },
      );
    }
    this.#transactions ??= {
      begin: this.handle.prepare('begin'),
      beginImmediate: this.handle.prepare('begin immediate'),
      commit: this.handle.prepare('commit'),
      rollback: this.handle.prepare('rollback'),
    };
    this.#transactions[begin].run();
    let result: T;
    try {
      result = operation();
    } catch (error) {
      this.#rollBack();
      throw error;
    }
    try {
      this.#transactions.commit.run();
    } catch (error) {
      this.#rollBack();
      throw translateError(error, this, { committing: begin === 'beginImmediate' });
    }
    return result;
  }

  #rollBack(): void {
    // After a full disk or an I/O error SQLite has rolled back by itself
    // (sqlite.org/lang_transaction.html, "Response To Errors").
    if (this.handle.inTransaction) this.#transactions?.rollback.run();
  }

  #prepare<Args extends object, Row>(
    build: (queries: Kysely<Tables>, args: Args) => Compilable<Row>,
  ): Statement<Args, Row> {
    const { sql, parameters } = build(this.queries, placeholders as Args).compile();
    const readers = parameters.map((value) =>
      value instanceof Placeholder ? (args: Args) => args[value.name as keyof Args] : () => value,
    );
    // The owner of a borrowed handle may have switched integers to BigInt.
    const native = this.handle.prepare<unknown[], Row>(sql).safeIntegers(false);
    const bind = (args: Args) => readers.map((read) => read(args));
    return {
      get: (args) => native.get(...bind(args)),
      all: (args) => native.all(...bind(args)),
      iterate: (args) => native.iterate(...bind(args)),
      run: (args) => native.run(...bind(args)).changes,
    };
  }
}

/** Marks, in a compiled query, a value that each run passes. */
class Placeholder {
  readonly name: string | symbol;

  constructor(name: string | symbol) {
    this.name = name;
  }
}

const placeholders: object = new Proxy({}, { get: (_, name) => new Placeholder(name) });
