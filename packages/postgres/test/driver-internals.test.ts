import postgres, { type Sql } from 'postgres';
import { expect, inject, it, onTestFinished } from 'vitest';
import { createPostgresBackend } from '@mcp-session/postgres';
import { attempt, type Outcome } from '../src/lib/client/attempt.ts';
import { checkInternals, disarm, wasSent } from '../src/lib/client/driver-internals.ts';

/** A client of the installed driver. */
function connect(): Sql {
  const sql = postgres(inject('postgres').url, { max: 1, fetch_types: false });
  onTestFinished(() => sql.end({ timeout: 0 }));
  return sql;
}

it('the installed driver has the internals that we rely on', async () => {
  const sql = connect();
  expect(() => checkInternals(sql)).not.toThrow();
  const query = sql.unsafe('select 7 as seven', [], { prepare: true });
  expect(wasSent(query)).toBe(false);
  expect(await query).toEqual([{ seven: 7 }]);
  expect(wasSent(query)).toBe(true);
});

it('a query that was disarmed before it was sent does nothing', async () => {
  const sql = connect();
  const query = sql.unsafe('create table was_not_disarmed (id int)', [], { prepare: true });
  disarm(query);
  await query;
  const [row] = await sql`select to_regclass('was_not_disarmed') as found`;
  expect(row).toEqual({ found: null });
});

// What a later version of the driver may look like.
it.each<[string, (query: Record<string, unknown>) => object]>([
  ['keeps the state of a query elsewhere', ({ state: _, ...query }) => query],
  ['gives a query another state', (query) => ({ ...query, state: 'queued' })],
  ['keeps its text elsewhere', ({ strings: _, ...query }) => query],
  ['has parsed its text', (query) => ({ ...query, strings: [] })],
  ['keeps its arguments elsewhere', ({ args: _, ...query }) => query],
])('a driver that %s is refused when a store opens', async (_, change) => {
  const sql = connect();
  const changed = Object.assign((...args: Parameters<Sql>) => sql(...args), sql, {
    unsafe: (...args: Parameters<Sql['unsafe']>) => change(Object.fromEntries(Object.entries(sql.unsafe(...args)))),
  });
  await expect(createPostgresBackend({ sql: changed as unknown as Sql })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('The installed version of the driver postgres works differently from 3.4.9'),
  });
});

it('a driver with other parsed options is refused when a store opens', async () => {
  const sql = connect();
  const { host: _, ...options } = sql.options as unknown as Record<string, unknown>;
  const changed = Object.assign((...args: Parameters<Sql>) => sql(...args), sql, { options });
  await expect(createPostgresBackend({ sql: changed as unknown as Sql })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
  });
});

it('an answer to a query that the driver never marked as sent is an error', async () => {
  const sql = connect();
  const release = () => undefined;
  const lane = {
    sql,
    mayWait: false,
    refusesTls: false,
    release,
    drop: release,
    distrust: release,
    omitSettings: () => false,
  };
  const take = (use: (taken: typeof lane) => void) => (use(lane), release);
  const client = {
    label: 'x',
    maxConnections: 1,
    applicationName: undefined,
    statementTimeoutMs: 1_000,
    take,
    listen: sql.listen,
    close: async () => undefined,
  };
  const answered = Object.assign(Promise.resolve([]), { state: null });
  const outcome = await new Promise<Outcome>((settle) => attempt(client, () => answered, 1_000, settle));
  expect(outcome).toMatchObject({ error: { code: 'STORE_UNAVAILABLE' }, sent: true });
});
