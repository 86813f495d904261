import type { StoredRow } from '@mcp-session/conformance';
import postgres from 'postgres';

/** All rows of a schema, each with the session that it belongs to. */
export async function rowsOf(url: string, schema: string): Promise<readonly StoredRow[]> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined, connection: { search_path: schema } });
  try {
    return await sql<StoredRow[]>`
      select 'sessions' as table, id as session, left(owner::text, 10000) as text from mcp_sessions as owner
      ${owned(sql, 'state')} ${owned(sql, 'events')} ${owned(sql, 'tokens')} ${owned(sql, 'trims')}`.then((rows) =>
      rows.map(({ table, session, text }) => ({ table, session: session ?? undefined, text })),
    );
  } finally {
    await sql.end();
  }
}

function owned(sql: postgres.Sql, table: string): postgres.PendingQuery<postgres.Row[]> {
  return sql`
    union all select ${table}, owner.id, left(stored::text, 10000)
    from ${sql(`mcp_${table}`)} as stored left join mcp_sessions as owner on owner.pk = stored.session_pk`;
}
