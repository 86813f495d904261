import type { StoredRow } from '@mcp-session/conformance';
import Database from 'better-sqlite3';

/** All rows of a file, each with the session that it belongs to. */
export function rowsOf(path: string): StoredRow[] {
  const database = new Database(path, { readonly: true });
  try {
    const all = (table: string) => database.prepare<[], Record<string, unknown>>(`select * from mcp_${table}`).all();
    const ids = new Map(all('sessions').map(({ pk, id }) => [pk, String(id)]));
    return ['sessions', 'state', 'events', 'tokens', 'trims', 'records'].flatMap((table) =>
      all(table).map((row) => ({
        table,
        session: ids.get(row['pk'] ?? row['session_pk']),
        text: JSON.stringify(row).slice(0, 10_000),
      })),
    );
  } finally {
    database.close();
  }
}
