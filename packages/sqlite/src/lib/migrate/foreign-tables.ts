import { SessionError } from '@mcp-session/core';
import type { Connection } from '../connection.ts';

/** The tables of this package, each with a column that every version of it has. */
const COLUMNS = {
  sessions: 'pk',
  state: 'session_pk',
  events: 'session_pk',
  tokens: 'session_pk',
  trims: 'session_pk',
  records: 'session_pk',
  migrations_lock: 'is_locked',
};

/**
 * Refuses tables of something else. A migration itself leaves tables that exist as they are,
 * because another process may have made them.
 *
 * @throws SessionError `STORE_FAILED`.
 */
export function checkColumns(connection: Connection): void {
  const { handle, tablePrefix } = connection;
  for (const [name, column] of Object.entries(COLUMNS)) {
    const columns = columnsOf(handle, `${tablePrefix}${name}`);
    if (columns.length > 0 && !columns.includes(column)) throw foreignTables(connection);
  }
}

/** Empty if there is no such table. */
export function columnsOf(handle: Connection['handle'], table: string): readonly string[] {
  return handle.prepare<[string], string>('select name from pragma_table_info(?)').pluck().all(table);
}

/** The error for tables of something else with the names of ours. */
export function foreignTables({ store, tablePrefix }: Connection): SessionError {
  return new SessionError(
    'STORE_FAILED',
    `Tables with the prefix ${tablePrefix} belong to something else; nothing was changed, set tablePrefix`,
    { store },
  );
}
