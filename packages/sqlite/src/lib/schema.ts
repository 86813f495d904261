import { OperationNodeTransformer, type Generated, type KyselyPlugin, type SchemableIdentifierNode } from 'kysely';

/** Rows of all tables, by the names that queries use. {@link prefixTables} adds the prefix. */
export interface Tables {
  sessions: SessionsTable;
  records: RecordsTable;
  state: StateTable;
  events: EventsTable;
  tokens: TokensTable;
  trims: TrimsTable;
}

interface SessionsTable {
  /**
   * Refers to the session in every other table: the id would take 36 bytes or more in each row and
   * index.
   */
  pk: Generated<number>;
  id: string;
  kind: string;
  principal: string | null;
  created_at: number;
  touched_at: number;
  expires_at: number;
  ended_at: Generated<number | null>;
  /** When the tombstone of an ended session may be removed. */
  purge_at: Generated<number | null>;
  /**
   * When a sweep looks here next: 0 while an ended session still has data, then `purge_at`. For a
   * live session, its expiry at the last look: renewals do not change it, because each change would
   * move it in its index.
   */
  look_at: number;
  last_seq: Generated<number>;
  /** Trims remove from the front only, so the log holds exactly `trimmed_seq + 1` to `last_seq`. */
  trimmed_seq: Generated<number>;
  /** The greatest `trimmed_seq` among forgotten rows of `trims`. */
  forgotten_seq: Generated<number>;
  log_bytes: Generated<number>;
  state_version: Generated<number>;
  state_keys: Generated<number>;
  state_bytes: Generated<number>;
  version: Generated<number>;
  profile: string;
}

/**
 * The transport's record of a session. A change of a row writes the whole row again, so it is not
 * beside the profile. A session whose record was never written has no row.
 */
interface RecordsTable {
  session_pk: number;
  record_version: number;
  record: string;
}

interface StateTable {
  session_pk: number;
  key: string;
  version: number;
  bytes: number;
  value: string;
}

interface EventsTable {
  session_pk: number;
  seq: number;
  stream_id: string;
  created_at: number;
  bytes: number;
  message: string;
}

/** Tokens of append requests. They outlive a trim, so they have a table of their own. */
interface TokensTable {
  session_pk: number;
  token: string;
  first_seq: number;
  last_seq: number;
}

/** The greatest trimmed number of each stream. */
interface TrimsTable {
  session_pk: number;
  stream_id: string;
  trimmed_seq: number;
}

/** Adds the prefix to the name of every table in a query. */
export function prefixTables(prefix: string): KyselyPlugin {
  const transformer = new PrefixTransformer(prefix);
  return {
    transformQuery: ({ node, queryId }) => transformer.transformNode(node, queryId),
    transformResult: async ({ result }) => result,
  };
}

class PrefixTransformer extends OperationNodeTransformer {
  readonly #prefix: string;

  constructor(prefix: string) {
    super();
    this.#prefix = prefix;
  }

  protected override transformSchemableIdentifier(
    ...[node, queryId]: Parameters<OperationNodeTransformer['transformSchemableIdentifier']>
  ): SchemableIdentifierNode {
    const { identifier, ...rest } = super.transformSchemableIdentifier(node, queryId);
    // In an upsert, SQLite's name for the row that could not be inserted.
    const prefix = identifier.name === 'excluded' ? '' : this.#prefix;
    return { ...rest, identifier: { ...identifier, name: `${prefix}${identifier.name}` } };
  }
}
