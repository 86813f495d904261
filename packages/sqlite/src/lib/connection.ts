import type { Database, Statement as NativeStatement } from 'better-sqlite3';
import { SessionError } from '@mcp-session/core';
import { Kysely, SqliteDialect, type Compilable } from 'kysely';
import type { DatabaseFile } from './client/database-file.ts';
import { translateError } from './errors.ts';
import { prefixTables, type Tables } from './schema.ts';

/** A query that was compiled and prepared once. */
export interface Statement<Args, Row> {
  get(args: Args): Row | undefined;
  all(args: Args): Row[];
  /** Rows one by one: no other statement may write before the iteration is over. */
  iterate(args: Args): IterableIterator<Row>;
  /** @returns How many rows were changed. */
  run(args: Args): number;
}

interface Names {
  readonly store: string;
  readonly tablePrefix: string;
  readonly file: DatabaseFile | undefined;
}

/** One database handle: transactions, and statements that are compiled by Kysely and run by better-sqlite3 itself. */
export class Connection {
  readonly handle: Database;
  /** Names the database for operators. */
  readonly store: string;
  readonly tablePrefix: string;
  /** Compiles queries, and runs them for the migrator alone. It is never destroyed: that would close a handle that may not be ours. */
  readonly queries: Kysely<Tables>;
  readonly #file: DatabaseFile | undefined;
  #control: Record<'begin' | 'beginImmediate' | 'commit' | 'rollback', NativeStatement> | undefined;

  /** @param file Where we opened the handle ourselves on a file. */
  constructor(handle: Database, { store, tablePrefix, file }: Names) {
    this.handle = handle;
    this.store = store;
    this.tablePrefix = tablePrefix;
    this.#file = file;
    this.queries = new Kysely<Tables>({
      dialect: new SqliteDialect({ database: handle }),
      plugins: [prefixTables(tablePrefix)],
    });
  }

  /** Prepares a query when it is first run, since its tables need not exist before. */
  statement<Args extends object, Row>(
    build: (queries: Kysely<Tables>, args: Args) => Compilable<Row>,
  ): Statement<Args, Row> {
    let prepared: Prepared<Args, Row> | undefined;
    const prepare = () => (prepared ??= this.#prepare(build));
    return {
      get(args) {
        const { native, bind } = prepare();
        return native.get(...bind(args));
      },
      all(args) {
        const { native, bind } = prepare();
        return native.all(...bind(args));
      },
      iterate(args) {
        const { native, bind } = prepare();
        return native.iterate(...bind(args));
      },
      run(args) {
        const { native, bind } = prepare();
        return native.run(...bind(args)).changes;
      },
    };
  }

  /** Runs several reads that make one answer as of one moment. A single statement needs no transaction for that. */
  read<T>(operation: () => T): T {
    return this.#transaction('begin', operation);
  }

  /**
   * Runs writes, all or nothing. The write lock is taken up front: a transaction that begins with a read and writes later
   * fails with SQLITE_BUSY at once, without waiting, when another process has written in between.
   */
  write<T>(operation: () => T): T {
    this.checkFile();
    const result = this.#transaction('beginImmediate', operation);
    this.#file?.committed();
    return result;
  }

  /** @throws SessionError `STORE_UNAVAILABLE` where the file is no longer the one that was opened. */
  checkFile(): void {
    this.#file?.check();
  }

  #transaction<T>(begin: 'begin' | 'beginImmediate', operation: () => T): T {
    if (this.handle.inTransaction)
      throw new SessionError(
        'STORE_BUSY',
        'Session store is inside a transaction of the owner of its handle; do not keep one open across an await',
        { retryable: true, store: this.store },
      );
    this.#control ??= {
      begin: this.handle.prepare('begin'),
      beginImmediate: this.handle.prepare('begin immediate'),
      commit: this.handle.prepare('commit'),
      rollback: this.handle.prepare('rollback'),
    };
    this.#control[begin].run();
    let result: T;
    try {
      result = operation();
    } catch (error) {
      this.#rollBack();
      throw error;
    }
    try {
      this.#control.commit.run();
    } catch (error) {
      this.#rollBack();
      throw translateError(error, this, { committing: begin === 'beginImmediate' });
    }
    return result;
  }

  #rollBack(): void {
    // A full disk or an I/O error makes SQLite roll back by itself (sqlite.org/lang_transaction.html, "Response To Errors").
    if (this.handle.inTransaction) this.#control?.rollback.run();
  }

  #prepare<Args extends object, Row>(
    build: (queries: Kysely<Tables>, args: Args) => Compilable<Row>,
  ): Prepared<Args, Row> {
    const { sql, parameters } = build(this.queries, placeholders as Args).compile();
    const readers = parameters.map((value) =>
      value instanceof Placeholder ? (args: Args) => args[value.name as keyof Args] : () => value,
    );
    // The owner of a borrowed handle may have asked for integers as BigInt.
    const native = this.handle.prepare<unknown[], Row>(sql).safeIntegers(false);
    return { native, bind: (args) => readers.map((read) => read(args)) };
  }
}

interface Prepared<Args, Row> {
  readonly native: NativeStatement<unknown[], Row>;
  readonly bind: (args: Args) => unknown[];
}

/** Stands in a query that is compiled for a value that comes with each run. */
class Placeholder {
  readonly name: string | symbol;

  constructor(name: string | symbol) {
    this.name = name;
  }
}

const placeholders: object = new Proxy({}, { get: (_, name) => new Placeholder(name) });
