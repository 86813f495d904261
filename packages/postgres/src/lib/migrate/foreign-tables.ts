import { SessionError } from '@mcp-session/core';
import type { Connection } from '../connection.ts';

// Of a table, a view or a function that exists and is not ours: undefined_column, duplicate_table,
// duplicate_function, wrong_object_type, invalid_table_definition.
const STATES: ReadonlySet<unknown> = new Set(['42703', '42P07', '42723', '42809', '42P16']);

/**
 * Rethrows the error of a migration, which says what is wrong if it met tables of something else.
 */
export function refuseForeign(connection: Connection): (error: unknown) => never {
  return (error) => {
    const cause = error instanceof SessionError ? (error.cause as { readonly code?: unknown } | undefined) : undefined;
    throw STATES.has(cause?.code) ? foreignTables(connection, cause) : error;
  };
}

/** The error for tables of something else with the names of ours. */
export function foreignTables({ label: store, tablePrefix }: Connection, cause?: unknown): SessionError {
  return new SessionError(
    'STORE_FAILED',
    `Tables with the prefix ${tablePrefix} belong to something else; nothing was changed, set tablePrefix or schema`,
    { store, cause },
  );
}
