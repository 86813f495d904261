import { OperationNodeTransformer, type Generated, type KyselyPlugin, type SchemableIdentifierNode } from 'kysely';

/** Rows of all tables, under the names that queries use: the prefix is put before them by {@link prefixTables}. */
export interface Tables {
  sessions: SessionsTable;
  state: StateTable;
  events: EventsTable;
  tokens: TokensTable;
  trims: TrimsTable;
}

interface SessionsTable {
  /** Stands for the session in every other table: an integer where the id would take 36 bytes and more in each row and index. */
  pk: Generated<number>;
  id: string;
  kind: string;
  principal: string | null;
  created_at: number;
  touched_at: number;
  expires_at: number;
  ended_at: Generated<number | null>;
  /** When the tombstone of an ended session may go. */
  purge_at: Generated<number | null>;
  /**
   * When a sweep looks here next: 0 while an ended session has data, then `purge_at`. Of a live one it is when it would have expired when it was last looked at:
   * renewals leave it alone, since they would move it in its index.
   */
  look_at: number;
  last_seq: Generated<number>;
  /** Trims take from the front only, so that the log holds exactly the numbers from `trimmed_seq + 1` to `last_seq`. */
  trimmed_seq: Generated<number>;
  /** Greatest number among the trims that are no longer remembered by stream. */
  forgotten_seq: Generated<number>;
  log_bytes: Generated<number>;
  state_version: Generated<number>;
  state_keys: Generated<number>;
  state_bytes: Generated<number>;
  version: Generated<number>;
  profile: string;
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

/** Tokens of append requests, apart from the events because they outlive a trim. */
interface TokensTable {
  session_pk: number;
  token: string;
  first_seq: number;
  last_seq: number;
}

/** The greatest number that was trimmed of a stream. */
interface TrimsTable {
  session_pk: number;
  stream_id: string;
  trimmed_seq: number;
}

/** Puts the prefix before the name of every table of a query. */
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
    // SQLite's own name for the row that an upsert could not insert.
    const prefix = identifier.name === 'excluded' ? '' : this.#prefix;
    return { ...rest, identifier: { ...identifier, name: `${prefix}${identifier.name}` } };
  }
}
