import type { Sql } from 'postgres';
import { expect, it } from 'vitest';
import { everything } from './support/everything.ts';
import { connect, FAR, newSchema, openBackend } from './support/schemas.ts';

const SESSIONS = 100_000;
const EVENTS_OF_EACH = 10;
const LARGE = 'session-050000';
const EVENTS_OF_THE_LARGE = 20_000;
/** What migrations leave to sweeps. */
const tasks = ['orphans_events', 'orphans_state', 'orphans_tokens', 'orphans_trims', 'tombstones'];
/** Rows that a statement may look at, unless it says in its name how many it needs. */
const MAX_ROWS = 40;

/**
 * Fills the tables as a store would. Without the indexes of the events it goes twice as fast, but
 * then they would be younger than the data.
 */
async function fill(sql: Sql): Promise<void> {
  await sql.unsafe(`
    insert into mcp_sessions (id, kind, principal, created_at, touched_at, expires_at, sweep_at, last_seq, log_bytes, state_keys, state_bytes, state_version, profile)
    select 'session-' || lpad(n::text, 6, '0'), 'session', case when n % 3 = 0 then null else 'principal-' || n % 50000 end, 1, 1, ${FAR}, ${FAR},
      ${EVENTS_OF_EACH}, ${EVENTS_OF_EACH}, 1, 2, 1, 'profile'
    from generate_series(1, ${SESSIONS}) n`);
  await sql.unsafe(`
    insert into mcp_events (session_pk, seq, created_at, bytes, stream_id, message)
    select s.pk, k, 1, 1, 'stream-' || k % 3, '1' from generate_series(1, ${EVENTS_OF_EACH}) k, mcp_sessions s`);
  // One that is far above the average, which is what the planner knows.
  await sql.unsafe(`
    insert into mcp_events (session_pk, seq, created_at, bytes, stream_id, message)
    select pk, last_seq + k, 1, 1, case when k % 2 = 0 then 's' else 'other' end, '1'
    from mcp_sessions, generate_series(1, ${EVENTS_OF_THE_LARGE}) k where id = '${LARGE}'`);
  await sql.unsafe(`update mcp_sessions set last_seq = last_seq + ${EVENTS_OF_THE_LARGE} where id = '${LARGE}'`);
  await sql.unsafe(
    `insert into mcp_state (session_pk, version, bytes, key, value) select pk, 1, 2, 'k', '1' from mcp_sessions`,
  );
  await sql.unsafe(
    `insert into mcp_tokens (session_pk, first_seq, last_seq, token) select pk, k, k, 'token-' || k from mcp_sessions, generate_series(1, 2) k`,
  );
  await sql.unsafe(
    `insert into mcp_trims (session_pk, trimmed_seq, stream_id) select pk, 0, 'stream-0' from mcp_sessions`,
  );
  for (const table of ['sessions', 'events', 'state', 'tokens', 'trims']) await sql.unsafe(`analyze mcp_${table}`);
}

interface Statement {
  readonly text: string;
  readonly parameters: readonly (string | number | null)[];
}

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly Plans?: readonly Plan[];
}

function* nodes(plan: Plan): Generator<Plan> {
  yield plan;
  for (const child of plan.Plans ?? []) yield* nodes(child);
}

/**
 * What this connection has read so far, also inside of functions: scans of whole tables, and rows.
 */
async function counters(sql: Sql): Promise<{ readonly scans: number; readonly rows: number }> {
  const [sums] = await sql<{ scans: string; rows: string }[]>`
    select sum(seq_scan) as scans, sum(seq_tup_read + idx_tup_fetch) as rows
    from pg_stat_xact_user_tables where schemaname = current_schema() and relname <> 'mcp_tasks'`;
  return { scans: Number(sums?.scans), rows: Number(sums?.rows) };
}

/**
 * Runs a statement and takes it back: its plan, the scans of whole tables that it made in functions
 * too, and how many rows it looked at.
 */
async function explain(sql: Sql, { text, parameters }: Statement, mode: 'generic' | 'custom') {
  const literals = parameters.map((value) => (value === null ? 'null' : `'${String(value).replaceAll("'", "''")}'`));
  const reserved = await sql.reserve();
  try {
    await reserved.unsafe('begin');
    await reserved.unsafe(`set local plan_cache_mode = force_${mode}_plan`);
    await reserved.unsafe(`prepare explained as ${text}`);
    const before = await counters(reserved);
    const call = `execute explained${literals.length === 0 ? '' : `(${literals.join(', ')})`}`;
    const [row] = await reserved.unsafe<{ 'QUERY PLAN': [{ Plan: Plan }] }[]>(`explain (analyze, format json) ${call}`);
    const plan = row?.['QUERY PLAN'][0].Plan;
    if (plan === undefined) throw new Error('no plan');
    const after = await counters(reserved);
    return {
      scanned: after.scans - before.scans,
      planned: [...nodes(plan)]
        .filter((node) => node['Node Type'] === 'Seq Scan')
        .map((node) => node['Relation Name'])
        // A handful of rows, and none where nothing is to be mended.
        .filter((relation) => relation !== 'mcp_tasks'),
      rows: after.rows - before.rows,
      indexes: [...nodes(plan)].flatMap((node) => node['Index Name'] ?? []),
    };
  } finally {
    await reserved.unsafe('rollback');
    await reserved.unsafe('deallocate explained');
    reserved.release();
  }
}

it(
  `with ${SESSIONS} sessions and ${SESSIONS * EVENTS_OF_EACH} events no statement scans a table, but for counts`,
  { timeout: 180_000 },
  async () => {
    const { url, schema } = await newSchema();
    const statements: Statement[] = [];
    const debug = (_: number, text: string, parameters: readonly unknown[]) =>
      statements.push({ text, parameters: [...(parameters as Statement['parameters'])] });
    const sql = connect(url, { fetch_types: false, debug });
    const look = connect(url, { max: 1, connection: { search_path: schema } });
    const backend = await openBackend({ sql, schema, notifications: 'off' });
    await backend.migrate();
    await fill(look);

    const ids = [LARGE, 'session-050001'] as const;
    await backend.createSession({ id: 'new', kind: 'session', principal: 'me', profile: '', expiresAt: FAR }, 1);
    let explained = 0;
    const uses = [
      ...everything(backend, ids),
      ...tasks.map((task) => ({ name: `sweep of 100, ${task}`, call: () => backend.sweep(100, 1) })),
      { name: 'sweep of 100 of all', call: () => backend.sweep(100, FAR) },
    ];
    for (const { name, call } of uses) {
      const task = tasks.find((each) => name.endsWith(each));
      await look`delete from mcp_tasks`;
      if (task !== undefined) await look`insert into mcp_tasks (name, rounds, cursor_pk) values (${task}, 2, 5000)`;
      statements.length = 0;
      await call();
      // Of a known token: the statement after the one that refuses it.
      for (const statement of name.includes('known') ? statements.slice(1) : statements.map(withNewTokens)) {
        for (const mode of ['generic', 'custom'] as const) {
          const found = await explain(look, statement, mode);
          explained++;
          const { scanned, planned, rows } = found;
          if (name === 'countKinds') continue;
          expect({ name, mode, scanned, planned }).toEqual({ name, mode, scanned: 0, planned: [] });
          expect([name, mode, rows <= Math.max(MAX_ROWS, mayRead(name))]).toEqual([name, mode, true]);
        }
      }
    }
    expect(explained).toBeGreaterThan(50);
  },
);

/** The call has been made already: under another token its statement does the same again. */
function withNewTokens({ text, parameters }: Statement): Statement {
  const renew = (value: string | number | null) =>
    typeof value === 'string' ? value.replaceAll(/^(one|two|three)$|"(one|two|three)"/g, '"$1$2 again"') : value;
  return { text, parameters: parameters.map(renew) };
}

/** Three for each row that goes: it is found, fetched and deleted. */
function mayRead(name: string): number {
  return 4 * Number(/\d,?\d+/.exec(name)?.[0].replace(',', '') ?? 0);
}

it.each([
  { analyzed: 'never', sessions: 3 },
  { analyzed: 'never', sessions: 1_000 },
  { analyzed: 'while there were none', sessions: 1_000 },
  { analyzed: 'now', sessions: 1_000 },
])(
  'a session is found by its id alone: $sessions of them, and statistics made $analyzed',
  { timeout: 60_000 },
  async ({ analyzed, sessions }) => {
    const { url, schema } = await newSchema();
    const statements: Statement[] = [];
    const debug = (_: number, text: string, parameters: readonly unknown[]) =>
      statements.push({ text, parameters: [...(parameters as Statement['parameters'])] });
    const sql = connect(url, { fetch_types: false, debug });
    const look = connect(url, { max: 1, connection: { search_path: schema } });
    const backend = await openBackend({ sql, schema, notifications: 'off' });
    await backend.migrate();
    await look.unsafe('alter table mcp_sessions set (autovacuum_enabled = off)');
    if (analyzed === 'while there were none') await look.unsafe('analyze mcp_sessions');
    await look.unsafe(`
      insert into mcp_sessions (id, kind, created_at, touched_at, expires_at, sweep_at, profile)
      select 'session-' || n, 'session', 1, 1, ${FAR}, ${FAR}, 'profile' from generate_series(1, ${sessions}) n`);
    if (analyzed === 'now') await look.unsafe('analyze mcp_sessions');
    const uses = everything(backend, ['session-1', 'session-2']).filter(
      ({ name }) => !/list|count|sweep|ping/.test(name),
    );
    const used = new Set<string>();
    for (const { name, call } of uses) {
      statements.length = 0;
      await call();
      if (name === 'endSession') {
        await look.unsafe(`update mcp_sessions set expires_at = ${FAR} where id = 'session-2'`);
      }
      for (const statement of name.includes('known') ? statements.slice(1) : statements.map(withNewTokens)) {
        for (const mode of ['generic', 'custom'] as const) {
          for (const index of (await explain(look, statement, mode)).indexes) used.add(index);
        }
      }
    }
    const others = [...used].filter((index) => /^mcp_sessions_(?!id_key|pkey)/.test(index));
    expect(others).toEqual([]);
    expect(used.size).toBeGreaterThan(0);
  },
);
