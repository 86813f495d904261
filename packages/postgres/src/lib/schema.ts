import {
  IdentifierNode,
  OperationNodeTransformer,
  sql,
  type ColumnType,
  type Generated,
  type KyselyPlugin,
  type RawBuilder,
  type SchemableIdentifierNode,
} from 'kysely';

/**
 * An `int8` as postgres.js returns it: text, unless the owner of a borrowed client has changed
 * that. All of ours are counts, bytes and milliseconds that a number holds exactly.
 */
export type Int8 = string | number | bigint;

type Int8Column = ColumnType<Int8, number, number>;
type Int8Default = ColumnType<Int8, number | undefined, number>;

/**
 * Rows of all tables, by the names that queries use. {@link placeTables} adds schema and prefix.
 */
export interface Tables {
  sessions: SessionsTable;
  state: StateTable;
  events: EventsTable;
  tokens: TokensTable;
  trims: TrimsTable;
  secrets: SecretsTable;
  tasks: TasksTable;
}

/** The tables whose rows belong to sessions. */
export type OwnedTable = 'events' | 'state' | 'tokens' | 'trims';

interface SessionsTable {
  /**
   * Refers to the session in every other table, in 8 bytes. The id would take 37 bytes or more in
   * each row and index.
   */
  pk: Generated<Int8>;
  id: string;
  kind: string;
  principal: string | null;
  created_at: Int8Column;
  touched_at: Int8Column;
  /**
   * 0 after the session was ended, so that this column alone shows whether it is live. With a
   * condition on `ended_at`, the planner might use an index of live sessions instead of the one of
   * ids.
   */
  expires_at: Int8Column;
  ended_at: ColumnType<Int8 | null, number | undefined, number>;
  /** When the tombstone of an ended session may be removed. */
  purge_at: ColumnType<Int8 | null, number | undefined, number>;
  /**
   * The latest time at which a sweep must look here again. A renewal does not change it, so an
   * append changes no indexed column and its update stays within the page
   * (postgresql.org/docs/current/storage-hot.html).
   */
  sweep_at: Int8Column;
  last_seq: Int8Default;
  /** Trims remove from the front only, so the log holds exactly `trimmed_seq + 1` to `last_seq`. */
  trimmed_seq: Int8Default;
  /** The greatest `trimmed_seq` among forgotten rows of `trims`. */
  forgotten_seq: Int8Default;
  log_bytes: Int8Default;
  state_version: Int8Default;
  state_keys: Int8Default;
  state_bytes: Int8Default;
  version: Int8Default;
  profile: string;
  /** Empty until the first one is written. Stored out of line, as the profile is. */
  record: Generated<string>;
  record_version: Int8Default;
}

interface StateTable {
  session_pk: Int8Column;
  /** UTF-8: `text` refuses U+0000. */
  key: Uint8Array;
  version: Int8Column;
  bytes: number;
  value: string;
}

interface EventsTable {
  session_pk: Int8Column;
  seq: Int8Column;
  created_at: Int8Column;
  bytes: number;
  stream_id: string;
  message: string;
}

/** Tokens of append requests. They outlive a trim, so they have a table of their own. */
interface TokensTable {
  session_pk: Int8Column;
  token: string;
  first_seq: Int8Column;
  last_seq: Int8Column;
}

/** The greatest trimmed number of each stream. */
interface TrimsTable {
  session_pk: Int8Column;
  stream_id: string;
  trimmed_seq: Int8Column;
}

/** Random texts that only roles with access to the tables can read. */
interface SecretsTable {
  name: string;
  value: string;
}

/** Tasks that a migration leaves to the sweeps. Empty except for some time after an upgrade. */
interface TasksTable {
  name: string;
  /** The session up to which the task is done. */
  cursor_pk: Int8Default;
  due_at: Int8Default;
  /** Remaining rounds over all sessions, including the current one. */
  rounds: number;
}

/** The tables, for queries that are written as text. */
export const table: Readonly<Record<keyof Tables, RawBuilder<unknown>>> = {
  sessions: sql.table('sessions'),
  state: sql.table('state'),
  events: sql.table('events'),
  tokens: sql.table('tokens'),
  trims: sql.table('trims'),
  secrets: sql.table('secrets'),
  tasks: sql.table('tasks'),
};

/**
 * Adds schema and prefix to the name of every table in a query. Names of CTEs and aliases stay as
 * they are.
 */
export function placeTables(schema: string, prefix: string): KyselyPlugin {
  const transformer = new PlaceTransformer(schema, prefix);
  return {
    transformQuery: ({ node, queryId }) => transformer.transformNode(node, queryId),
    transformResult: async ({ result }) => result,
  };
}

class PlaceTransformer extends OperationNodeTransformer {
  readonly #schema: string;
  readonly #prefix: string;

  constructor(schema: string, prefix: string) {
    super();
    this.#schema = schema;
    this.#prefix = prefix;
  }

  protected override transformSchemableIdentifier(
    ...[node, queryId]: Parameters<OperationNodeTransformer['transformSchemableIdentifier']>
  ): SchemableIdentifierNode {
    const placed = super.transformSchemableIdentifier(node, queryId);
    const { name } = placed.identifier;
    if (!Object.hasOwn(table, name)) return placed;
    return {
      ...placed,
      schema: IdentifierNode.create(this.#schema),
      identifier: IdentifierNode.create(`${this.#prefix}${name}`),
    };
  }
}
