import { createPostgresStore, createPostgresBackend, type PostgresBackendOptions } from '@mcp-session/postgres';
import postgres from 'postgres';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { Proxy, refusal } from './support/proxy.ts';
import { append, connect, createSession, newBackend, newSchema, openBackend } from './support/schemas.ts';

function edited(url: string, edit: (url: URL) => void): string {
  const changed = new URL(url);
  edit(changed);
  return changed.href;
}

describe('a database that cannot be used', () => {
  it('wrong password: denied, and the password is nowhere in the error', async () => {
    const url = edited(inject('postgres').url, (parts) => (parts.password = 'hunter2'));
    const error: unknown = await createPostgresStore({ url }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'STORE_DENIED', retryable: false, cause: { code: '28P01' } });
    expect((error as Error).message).toMatch(/^Session store refuses the login/);
    expect((error as { store?: unknown }).store).toMatch(/^PostgreSQL database "postgres" at .*:\d+$/);
  });

  it('a database that does not exist', async () => {
    const url = edited(inject('postgres').url, (parts) => (parts.pathname = '/nowhere'));
    await expect(createPostgresStore({ url })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryable: false,
      store: expect.stringContaining('"nowhere"'),
    });
  });

  it('a host that does not exist, and a port that nobody listens on', { timeout: 60_000 }, async () => {
    const unknown = edited(inject('postgres').url, (parts) => (parts.hostname = 'database.invalid'));
    await expect(createPostgresStore({ url: unknown })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryable: true,
    });
    const proxy = await Proxy.open(inject('postgres').url);
    proxy.close();
    await expect(createPostgresStore({ url: proxy.url })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryable: true,
      outcomeUnknown: false,
    });
  });

  it('a server that does not offer the requested TLS', async () => {
    const url = edited(inject('postgres').url, (parts) => parts.searchParams.set('sslmode', 'require'));
    await expect(createPostgresStore({ url })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      outcomeUnknown: false,
      message: expect.stringContaining('offers no TLS'),
    });
  });

  it('a server that is too old', async () => {
    const { url, schema } = await newSchema();
    const [row] = await connect(url)<{ version: string }[]>`select current_setting('server_version_num') as version`;
    const proxy = await Proxy.open(url);
    // As many digits, so that the message stays whole.
    proxy.toClient = (bytes) =>
      Buffer.from(bytes.toString('latin1').replaceAll(row?.version ?? '', '140011'), 'latin1');
    await expect(createPostgresStore({ url: proxy.url, schema })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryable: false,
      message: expect.stringContaining('PostgreSQL 14; @mcp-session/postgres needs 15 or newer'),
    });
  });

  it('a database that is not in UTF-8', async () => {
    const { url } = inject('postgres');
    const name = `latin1_${crypto.randomUUID().replaceAll('-', '')}`;
    const sql = connect(url);
    await sql.unsafe(`create database ${name} encoding 'LATIN1' template template0 locale 'C' locale_provider libc`);
    onTestFinished(() => sql.unsafe(`drop database ${name} with (force)`).then(() => undefined));
    await expect(
      createPostgresStore({ url: edited(url, (parts) => (parts.pathname = `/${name}`)) }),
    ).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', message: expect.stringContaining('LATIN1') });
  });

  it('a schema from a newer version is refused and left as it is', async () => {
    const { sql, url, schema } = await newBackend();
    await sql`insert into mcp_migrations (name) values ('9999-future')`;
    await expect(createPostgresStore({ url, schema })).rejects.toMatchObject({
      code: 'STORE_SCHEMA_TOO_NEW',
      message: expect.stringContaining('"9999-future"'),
    });
    expect((await sql`select name from mcp_migrations order by name`).at(-1)).toEqual({ name: '9999-future' });
  });

  it('no tables, because migrate was not called', async () => {
    const { url, schema } = await newSchema();
    const backend = await openBackend({ url, schema, notifications: 'off' });
    await expect(backend.readSession('a', 1)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('run migratePostgres'),
    });
  });

  it('too many connections', async () => {
    const { url, schema } = await newSchema();
    const proxy = await Proxy.open(url);
    proxy.toServer = (_, link) => void link.client.end(refusal('53300', 'sorry, too many clients already'));
    await expect(createPostgresStore({ url: proxy.url, schema })).rejects.toMatchObject({
      code: 'STORE_BUSY',
      retryable: true,
    });
  });
});

describe('a write that the server refuses', () => {
  it('on a replica, or a database that is set to read-only', async () => {
    const { backend, sql, url, schema } = await newBackend();
    await createSession(backend);
    const options = { max: 1, connection: { default_transaction_read_only: true } } as const;
    const readOnly = await openBackend({ sql: connect(url, options), schema, notifications: 'off' });
    // Nothing is to be done, and so nothing is written.
    await readOnly.migrate();
    expect(await readOnly.readSession('a', 1)).toMatchObject({ id: 'a' });
    await expect(append(readOnly, 'token')).rejects.toMatchObject({ code: 'STORE_READ_ONLY', outcomeUnknown: false });
    await sql`drop table mcp_migrations`;
    await expect(readOnly.migrate()).rejects.toMatchObject({ code: 'STORE_READ_ONLY' });
  });

  it.each([
    ['53100', 'STORE_FULL', false],
    ['53200', 'STORE_FAILED', true],
    ['58030', 'STORE_FAILED', true],
    ['XX001', 'STORE_CORRUPT', false],
    ['40P01', 'STORE_BUSY', true],
    ['55P03', 'STORE_BUSY', true],
    ['P0001', 'STORE_FAILED', false],
  ])('with SQLSTATE %s: %s, nothing was written', async (state, code, retryable) => {
    const { backend, sql } = await newBackend({ notifications: 'off' });
    await createSession(backend);
    // Raised by the server itself, in the statement that writes, and with a value in its words.
    await sql.unsafe(`
      create function fail() returns trigger language plpgsql as
        'begin raise exception ''value secret'' using errcode = ''${state}''; end';
      create trigger fail before insert on mcp_events for each statement execute function fail()`);
    const error: unknown = await append(backend, 'token').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code, retryable, outcomeUnknown: false, cause: { code: state } });
    expect((error as Error).message).not.toContain('secret');
    await sql`drop trigger fail on mcp_events`;
    expect(await append(backend, 'token')).toMatchObject([{ firstSeq: 1 }]);
  });
});

describe('options', () => {
  it.each<[string, PostgresBackendOptions]>([
    ['url', { url: 'mysql://user:hunter2@host/db' }],
    ['schema', { schema: '' }],
    ['schema', { schema: 'x'.repeat(64) }],
    ['tablePrefix', { tablePrefix: 'Mcp_' }],
    ['tablePrefix', { tablePrefix: 'x'.repeat(41) }],
    ['maxConnections', { maxConnections: 0 }],
    ['statementTimeoutMs', { statementTimeoutMs: 0.5 }],
    ['notifications', { notifications: 'maybe' as 'on' }],
    ['prepare', { prepare: 'yes' as unknown as boolean }],
    ['sql', { sql: {} as postgres.Sql }],
    ['url', { url: null as unknown as string }],
    ['schema', { schema: null as unknown as string }],
    ['sql', { sql: null as unknown as postgres.Sql }],
  ])('%s is refused by its name', async (name, options) => {
    const error: unknown = await createPostgresBackend(options).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toMatch(new RegExp(`^Option ${name} `));
    expect((error as Error).message).not.toContain('hunter2');
  });

  it('a client of the caller is not combined with options of a pool, and may not rename columns', async () => {
    const { url } = inject('postgres');
    await expect(createPostgresBackend({ sql: connect(url), maxConnections: 3 })).rejects.toThrow('maxConnections');
    await expect(createPostgresBackend({ sql: connect(url, { transform: postgres.camel }) })).rejects.toThrow(
      'transform',
    );
  });
});
