import type { SessionBackend } from '@mcp-session/core/backend';

/** How a real second process opens the storage of a test. */
export interface SecondProcess {
  /**
   * URL or absolute path of an ES module that exports `openBackend(argument)`, which returns a backend on the storage, or a promise of one. Node loads
   * it in a process of its own, so it imports what it needs and reads nothing of the test.
   */
  readonly module: string | URL;
  /** What `openBackend` is given: anything that `structuredClone` copies, such as the path of a file or the URL of a server. */
  readonly argument: unknown;
  /** Options of Node for the process, such as `['--import', 'tsx']`. Default: none. */
  readonly execArgv?: readonly string[];
}

/** A row of a table, an item, or whatever else a storage consists of. */
export interface StoredRow {
  /** Its table or its sort, for messages. */
  readonly table: string;
  /** Id of the session that it belongs to; `undefined`: the record of that session is not there. */
  readonly session: string | undefined;
  /** All that it holds, as text; what is longer than 10,000 characters may be cut. */
  readonly text: string;
}

/** Storage that nothing else uses, for the cases of the kit. */
export interface TestStorage {
  /** A backend on the storage. The kit calls its `migrate()` and its `close()`. */
  readonly backend: SessionBackend;
  /**
   * Opens another backend on the same storage, as another process would or as the same one after a restart: a handle of its own that shares no memory with the
   * others, except where the storage is memory. Where nothing outlives the backend, it returns one that is empty. The kit closes it.
   */
  readonly reopen: () => SessionBackend | Promise<SessionBackend>;
  /** Needed where the storage is shared or durable; the case `capabilities.process` fails without it. Default: `undefined`. */
  readonly secondProcess?: SecondProcess;
  /**
   * Reads all that is stored, past the backend: every row of every table that belongs to a session, with the session's own record, and none that belongs to none,
   * such as the version of the schema. With it the kit sees what no method shows: rows that are left behind, and what a tombstone still holds. Needed where
   * the storage is shared or durable; the case `sweep.leftovers` fails without it. Default: `undefined`.
   */
  readonly rows?: () => Promise<readonly StoredRow[]>;
  /** Removes the storage. Called once, after all backends on it were closed. Default: nothing is done. */
  readonly dispose?: () => void | Promise<void>;
}

/** Makes new, empty storage. Called once for the cases that share one, and once for each case that needs its own. */
export type OpenStorage = () => TestStorage | Promise<TestStorage>;

/** What the module of a {@link SecondProcess} exports. */
export interface SecondProcessModule {
  openBackend(argument: unknown): SessionBackend | Promise<SessionBackend>;
}
