import type { SessionBackend } from '@mcp-session/core/backend';

/** How a real second process opens the storage of a test. */
export interface SecondProcess {
  /**
   * URL or absolute path of an ES module that exports `openBackend(argument)`, which returns a
   * backend on the storage or a promise of one. Node loads it in another process, so it cannot use
   * variables of the test.
   */
  readonly module: string | URL;
  /**
   * The argument of `openBackend`: anything that `structuredClone` copies, such as a path or a URL.
   */
  readonly argument: unknown;
  /** Node's options for the process, such as `['--import', 'tsx']`. Default: none. */
  readonly execArgv?: readonly string[];
}

/** A row of a table, an item, or another unit of the storage. */
export interface StoredRow {
  /** The table or sort of the row, for messages. */
  readonly table: string;
  /** The id of the row's session; `undefined` if that session has no record. */
  readonly session: string | undefined;
  /** The whole content of the row, as text. May be cut after 10,000 characters. */
  readonly text: string;
}

/** Storage for cases of the kit, which nothing else uses. */
export interface TestStorage {
  /** A backend on the storage. The kit calls its `migrate()` and `close()`. */
  readonly backend: SessionBackend;
  /**
   * Opens another backend on the same storage, like another process or the same one after a
   * restart. It shares no memory with the others, unless the storage is memory. If nothing outlives
   * a backend, it returns an empty one. The kit closes it.
   */
  readonly reopen: () => SessionBackend | Promise<SessionBackend>;
  /**
   * Needed if the storage is shared or durable; the case `capabilities.process` fails without it.
   * Default: `undefined`.
   */
  readonly secondProcess?: SecondProcess;
  /**
   * Reads the storage without the backend: every row of every session, including its record, and no
   * other rows, such as the version of the schema. It shows the kit what no method shows: rows that
   * are left behind, and the content of tombstones. Needed if the storage is shared or durable; the
   * case `sweep.leftovers` fails without it. Default: `undefined`.
   */
  readonly rows?: () => Promise<readonly StoredRow[]>;
  /**
   * Removes the storage. Called once, after all its backends were closed. Default: does nothing.
   */
  readonly dispose?: () => void | Promise<void>;
}

/** Creates new, empty storage: one for all cases that can share it, and one for each other case. */
export type OpenStorage = () => TestStorage | Promise<TestStorage>;

/** The exports of the module of a {@link SecondProcess}. */
export interface SecondProcessModule {
  openBackend(argument: unknown): SessionBackend | Promise<SessionBackend>;
}
