import type { SessionBackend } from '@mcp-session/core/backend';
import { createPostgresStore } from '@mcp-session/postgres';
import type { Sql } from 'postgres';
import { expect, it, onTestFinished } from 'vitest';
import { connect, FAR, newBackend, newSchema, openBackend } from './support/schemas.ts';

const owned = ['events', 'state', 'tokens', 'trims'] as const;
const LIMIT = 50;
const HANDLES = 4;

/** Rows of sessions that are not there, by table. */
async function orphans(sql: Sql): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of owned) {
    const [row] = await sql.unsafe<{ count: number }[]>(`
      select count(*)::int4 as count from mcp_${table} where session_pk not in (select pk from mcp_sessions)`);
    if (row !== undefined && row.count > 0) counts[table] = row.count;
  }
  return counts;
}

/** Sweeps until nothing is left. @returns The ids that went. */
async function sweepAll(backend: SessionBackend, now: number): Promise<readonly string[]> {
  const gone: string[] = [];
  for (;;) {
    const { ids, done } = await backend.sweep(LIMIT, now);
    gone.push(...ids);
    if (done) return gone;
  }
}

/** Sessions with rows in every table, made as a store would leave them. */
async function fill(sql: Sql, sessions: number, rows: number, ended: boolean): Promise<void> {
  await sql.unsafe(`
    insert into mcp_sessions (id, kind, principal, created_at, touched_at, expires_at, sweep_at, ended_at, purge_at, last_seq, log_bytes, profile)
    select 'session-' || n, 'session', 'me', 1, 1, ${ended ? 0 : 10}, ${ended ? 0 : 10}, ${ended ? '5, 10' : 'null, null'}, ${rows}, ${rows}, ''
    from generate_series(1, ${sessions}) n`);
  const each = `from mcp_sessions, generate_series(1, ${rows}) k`;
  await sql.unsafe(
    `insert into mcp_events (session_pk, seq, created_at, bytes, stream_id, message) select pk, k, 1, 1, 's', '1' ${each}`,
  );
  await sql.unsafe(
    `insert into mcp_tokens (session_pk, first_seq, last_seq, token) select pk, k, k, 'token-' || k ${each}`,
  );
  await sql.unsafe(
    `insert into mcp_state (session_pk, version, bytes, key, value) select pk, 1, 1, convert_to('k' || k, 'UTF8'), '1' ${each}`,
  );
  await sql.unsafe(`insert into mcp_trims (session_pk, trimmed_seq, stream_id) select pk, 0, 's' || k ${each}`);
}

it.each([
  { what: 'expired', ended: false },
  { what: 'ended', ended: true },
])(
  'four nodes that sweep $what sessions at once leave no row of a session that is not there',
  { timeout: 120_000 },
  async ({ ended }) => {
    const { backend, sql, url, schema } = await newBackend({ notifications: 'off' });
    const backends = [backend];
    while (backends.length < HANDLES) backends.push(await openBackend({ url, schema, notifications: 'off' }));
    for (let round = 0; round < 3; round++) {
      await fill(sql, 200, 5, ended);
      const gone = (await Promise.all(backends.map((each) => sweepAll(each, FAR)))).flat();
      // What two of them were at when the third looked is found by the next sweep.
      gone.push(...(await sweepAll(backend, FAR)));
      expect(gone).toHaveLength(200);
      expect(new Set(gone).size).toBe(200);
      expect(await orphans(sql)).toEqual({});
      for (const table of ['sessions', ...owned]) {
        expect([table, await sql.unsafe(`select from mcp_${table} limit 1`)]).toMatchObject([table, []]);
      }
    }
  },
);

it('two stores that sweep at once leave no message of an expired session', { timeout: 120_000 }, async () => {
  const { url, schema } = await newSchema();
  const sql = connect(url, { max: 1, connection: { search_path: schema } });
  let now = 1_000_000;
  const options = { url, schema, sweep: { stepRows: LIMIT }, clock: () => now } as const;
  const stores = [await createPostgresStore(options), await createPostgresStore(options)] as const;
  onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))));
  await Promise.all(
    Array.from({ length: 200 }, async () => {
      const session = await stores[0].create();
      await Promise.all(Array.from({ length: 10 }, (_, n) => session.events.append('s', n)));
    }),
  );
  now += 1e9;
  await Promise.all(stores.map((store) => store.sweep()));
  await stores[0].sweep();
  expect(await sql`select count(*)::int4 as count from mcp_sessions`).toEqual([{ count: 0 }]);
  expect(await orphans(sql)).toEqual({});
});
