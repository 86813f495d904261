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
 * An `int8` as postgres.js gives it: text, unless its owner has asked for something else. All of ours are counts, bytes and milliseconds that a number
 * holds exactly.
 */
export type Int8 = string | number | bigint;

type Int8Column = ColumnType<Int8, number, number>;
type Int8Default = ColumnType<Int8, number | undefined, number>;

/** Rows of all tables, under the names that queries use: schema and prefix are put before them by {@link placeTables}. */
export interface Tables {
  sessions: SessionsTable;
  state: StateTable;
  events: EventsTable;
  tokens: TokensTable;
  trims: TrimsTable;
  secrets: SecretsTable;
  tasks: TasksTable;
}

/** The tables whose rows belong to a session. */
export type OwnedTable = 'events' | 'state' | 'tokens' | 'trims';

interface SessionsTable {
  /** Stands for the session in every other table: 8 bytes where the id would take 37 and more in each row and index. */
  pk: Generated<Int8>;
  id: string;
  kind: string;
  principal: string | null;
  created_at: Int8Column;
  touched_at: Int8Column;
  /**
   * 0 where the session was ended, so that this alone tells whether it is live. A condition on `ended_at` would let the planner take one of the indexes of live
   * sessions for the one of ids.
   */
  expires_at: Int8Column;
  ended_at: ColumnType<Int8 | null, number | undefined, number>;
  /** When the tombstone of an ended session may go. */
  purge_at: ColumnType<Int8 | null, number | undefined, number>;
  /**
   * When a sweep has to look here again, at the latest: a renewal leaves it alone, so that an append changes no indexed column and
   * its update stays within the page (postgresql.org/docs/current/storage-hot.html).
   */
  sweep_at: Int8Column;
  last_seq: Int8Default;
  /** Trims take from the front only, so that the log holds exactly the numbers from `trimmed_seq + 1` to `last_seq`. */
  trimmed_seq: Int8Default;
  /** Greatest number among the trims that are no longer remembered by stream. */
  forgotten_seq: Int8Default;
  log_bytes: Int8Default;
  state_version: Int8Default;
  state_keys: Int8Default;
  state_bytes: Int8Default;
  version: Int8Default;
  profile: string;
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

/** Tokens of append requests, apart from the events because they outlive a trim. */
interface TokensTable {
  session_pk: Int8Column;
  token: string;
  first_seq: Int8Column;
  last_seq: Int8Column;
}

/** The greatest number that was trimmed of a stream. */
interface TrimsTable {
  session_pk: Int8Column;
  stream_id: string;
  trimmed_seq: Int8Column;
}

/** Random texts that all nodes of a store share, and nobody who may not read its tables. */
interface SecretsTable {
  name: string;
  value: string;
}

/** What a migration has left for the sweeps to do, step by step, in the order of the sessions. Empty but for a time after an upgrade. */
interface TasksTable {
  name: string;
  /** The session up to which it is done. */
  cursor_pk: Int8Default;
  due_at: Int8Default;
  /** How often it is done from the beginning, this time included. */
  rounds: number;
}

/** The tables, to stand in a query that is written as text. */
export const table: Readonly<Record<keyof Tables, RawBuilder<unknown>>> = {
  sessions: sql.table('sessions'),
  state: sql.table('state'),
  events: sql.table('events'),
  tokens: sql.table('tokens'),
  trims: sql.table('trims'),
  secrets: sql.table('secrets'),
  tasks: sql.table('tasks'),
};

/** Puts schema and prefix before the name of every table of a query. Every other name stays as it is: those of CTEs and aliases. */
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
