/** What an operator has to know about a database. */
export interface Diagnosis {
  /** What was looked at, in a word or two, such as `schema`. */
  readonly check: string;
  /**
   * `failure`: the store does not work, or loses something. `warning`: it works worse than it can.
   */
  readonly status: 'ok' | 'warning' | 'failure';
  /** What was found, in a sentence without host, path or password. */
  readonly found: string;
  /** What to do. `undefined` if there is nothing to do. */
  readonly remedy?: string | undefined;
}

/** Which schema the tables of a store have, and which one a version of its package works with. */
export interface SchemaVersion {
  /** The version of the tables, from 1; 0 if tables are missing. */
  readonly present: number;
  /** The version that `migrate` makes. */
  readonly needed: number;
}

/** What a backend does for administrators. No request waits for any of it. */
export interface BackendAdministration {
  /**
   * Counts live sessions by kind. Leaves out kinds that have none. Reads every session, so the cost
   * grows with the store. May lag behind writes like `listSessions`.
   */
  countKinds(now: number): Promise<ReadonlyMap<string, number>>;

  /**
   * Reads which schema the tables have. Changes nothing.
   *
   * @throws SessionError `STORE_SCHEMA_TOO_NEW`, as `migrate` does.
   */
  readSchemaVersion?(): Promise<SchemaVersion>;

  /**
   * Says what `migrate` would do: statements in the language of the database, or sentences where it
   * has no such language. Empty if there is nothing to do. Changes nothing.
   *
   * @throws SessionError `STORE_SCHEMA_TOO_NEW`, as `migrate` does.
   */
  planMigration?(): Promise<readonly string[]>;

  /**
   * Looks at the database for what an operator has to know. Changes no data.
   *
   * @param clock Returns the present time in Unix milliseconds, to compare with the database's.
   */
  diagnose?(clock: () => number): Promise<readonly Diagnosis[]>;
}
