import { Child } from '@mcp-session-tooling/vitest/child';
import { createPostgresStore, migratePostgres } from '@mcp-session/postgres';
import postgres from 'postgres';
import { describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { Proxy, refusal } from './support/proxy.ts';
import { append, connect, createSession, newBackend, newRole, newSchema, openBackend } from './support/schemas.ts';

describe('migrations', () => {
  it(
    'ten processes that start at once on an empty database: each opens and appends',
    { timeout: 120_000 },
    async () => {
      const { url, schema, dispose } = await newSchema();
      // Not even the schema is there.
      await dispose();
      const args = [JSON.stringify({ url, schema, maxConnections: 2 })];
      const children = Array.from(
        { length: 10 },
        () => new Child(new URL('support/open-and-append.ts', import.meta.url), args),
      );
      await Promise.all(children.map(async (child) => await child.succeed()));
      const sql = connect(url, { connection: { search_path: schema } });
      expect(await sql`select name from mcp_migrations order by name`).toEqual([
        { name: '0001-initial' },
        { name: '0002-sweeping' },
        { name: '0003-readable-views' },
        { name: '0004-records' },
      ]);
      expect(await sql`select count(*)::int4 as count from mcp_events`).toEqual([{ count: 10 }]);
    },
  );

  it.each(['repeatable read', 'serializable'])(
    'eight nodes at once, where everything is %s by default',
    async (level) => {
      const { url, schema, dispose } = await newSchema();
      await dispose();
      const strict = new URL(url);
      strict.searchParams.set('default_transaction_isolation', level);
      const backends = await Promise.all(Array.from({ length: 8 }, () => openBackend({ url: strict.href, schema })));
      await Promise.all(backends.map((backend) => backend.migrate()));
      for (const [n, backend] of backends.entries()) await createSession(backend, `session-${n}`);
      await Promise.all(backends.map((backend, n) => append(backend, `token-${n}`, ['s'], 'session-0')));
      expect((await backends[7]?.readSession('session-0', 1))?.lastSeq).toBe(8);
    },
  );

  it('by a role that owns only its schema', async () => {
    const { sql, role, url } = await newRole();
    await sql.unsafe(`create schema ${role} authorization ${role}`);
    const store = await createPostgresStore({ url, schema: role });
    onTestFinished(() => store.close());
    const session = await store.create();
    await session.state.set('key', 1);
    await session.events.append('s', 1);
    expect(await session.state.get('key')).toBe(1);
    await session.end();
    expect(await store.sweep()).toBe(0);
  });

  it('before a deploy: a role that may only use the tables opens the store afterwards, and not before', async () => {
    const { url: owner, schema } = await newSchema();
    const { sql, role, url } = await newRole();
    await sql.unsafe(`grant usage on schema ${schema} to ${role}`);
    await expect(createPostgresStore({ url, schema })).rejects.toMatchObject({ code: 'STORE_DENIED' });
    await migratePostgres({ url: owner, schema });
    // The grants of docs/operating/postgres.md.
    await sql.unsafe(`grant select, insert, update, delete on all tables in schema ${schema} to ${role}`);
    const store = await createPostgresStore({ url, schema });
    onTestFinished(() => store.close());
    const session = await store.create();
    await session.state.set('key', 1);
    await session.state.clear();
    await session.events.append('s', 1);
    await session.events.trim({ maxEvents: 0 });
    await session.end();
    await store.sweep();
    expect(await store.get(session.id)).toBeUndefined();
  });

  it('stores with different prefixes share a schema', async () => {
    const { backend, url, schema } = await newBackend();
    const other = await openBackend({ url, schema, tablePrefix: 'other_' });
    await other.migrate();
    await createSession(backend);
    expect(await other.readSession('a', 1)).toBeUndefined();
    await createSession(other);
    await append(other, 'token');
    expect((await backend.readSession('a', 1))?.lastSeq).toBe(0);
  });

  it('in a schema whose name has to be quoted', async () => {
    const { url } = inject('postgres');
    const schema = `t"s$7'\\ $migration$ $function$ ${crypto.randomUUID().slice(0, 8)}`;
    const sql = connect(url);
    onTestFinished(() => sql`drop schema if exists ${sql(schema)} cascade`.then(() => undefined));
    const backend = await openBackend({ url, schema });
    await backend.migrate();
    await createSession(backend);
    expect(await append(backend, 'token')).toMatchObject([{ firstSeq: 1 }]);
  });
});

describe('clients', () => {
  it('one of the caller stays open', async () => {
    const { url, schema } = await newSchema();
    const sql = connect(url, { types: { bigint: postgres.BigInt } } as object);
    const store = await createPostgresStore({ sql, schema });
    const session = await store.create();
    await session.events.append('s', 1);
    expect(await store.count()).toBe(1);
    await store.close();
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  });

  it('by DATABASE_URL if no option says otherwise', async () => {
    const { url, schema } = await newSchema();
    vi.stubEnv('DATABASE_URL', url);
    onTestFinished(() => void vi.unstubAllEnvs());
    const store = await createPostgresStore({ schema });
    onTestFinished(() => store.close());
    expect(await store.count()).toBe(0);
  });

  it('by the variables of libpq if there is no URL', async () => {
    const { url, schema } = await newSchema();
    const { hostname, port, username, password, pathname } = new URL(url);
    vi.stubEnv('DATABASE_URL', undefined);
    for (const [name, value] of Object.entries({ HOST: hostname, PORT: port, USER: username, PASSWORD: password })) {
      vi.stubEnv(`PG${name}`, value);
    }
    vi.stubEnv('PGDATABASE', pathname.slice(1));
    onTestFinished(() => void vi.unstubAllEnvs());
    const store = await createPostgresStore({ schema });
    onTestFinished(() => store.close());
    expect(await store.count()).toBe(0);
  });

  it('by the second of two hosts, for calls and for notifications', async () => {
    const { url, schema } = await newSchema();
    const gone = await Proxy.open(url);
    gone.close();
    const { host } = new URL(url);
    const both = url.replace(host, `${new URL(gone.url).host},${host}`);
    const [backend, other] = [await openBackend({ url: both, schema }), await openBackend({ url, schema })];
    await backend.migrate();
    await createSession(backend);
    const hinted: string[] = [];
    await backend.watch?.((sessionId) => hinted.push(sessionId));
    await append(other, 'token');
    await vi.waitFor(() => expect(hinted).toEqual(['a']), 5_000);
    await Promise.all(Array.from({ length: 6 }, (_, n) => append(backend, `token-${n}`)));
  });

  it('without prepared statements', async () => {
    const { backend, sql, schema } = await newBackend({ prepare: false });
    await createSession(backend);
    for (let n = 1; n <= 20; n++) expect(await append(backend, `token-${n}`)).toMatchObject([{ firstSeq: n }]);
    const left = await sql`select 1 from pg_prepared_statements where statement like ${`%${schema}%`}`;
    expect(left).toEqual([]);
  });

  it('behind a pooler that refuses startup parameters', async () => {
    const { url, schema } = await newSchema();
    const proxy = await Proxy.open(url);
    let refused = 0;
    // PgBouncer, unless its ignore_startup_parameters names it.
    proxy.toServer = (bytes, link) => {
      if (!bytes.includes('statement_timeout\0')) return bytes;
      refused++;
      link.client.end(refusal('08P01', 'unsupported startup parameter: statement_timeout'));
      return undefined;
    };
    const backend = await openBackend({ url: proxy.url, schema });
    await backend.migrate();
    await createSession(backend);
    expect(await append(backend, 'token')).toMatchObject([{ firstSeq: 1 }]);
    expect(refused).toBe(1);
  });

  it('a process exits once its store is closed', { timeout: 60_000 }, async () => {
    const { url, schema } = await newSchema();
    const child = new Child(new URL('support/open-and-append.ts', import.meta.url), [JSON.stringify({ url, schema })]);
    await child.succeed();
    expect(await connect(url)`select 1 as one`).toHaveLength(1);
  });
});
