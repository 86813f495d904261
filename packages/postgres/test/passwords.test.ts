import { inspect } from 'node:util';
import { createPostgresBackend, createPostgresStore, migratePostgres } from '@mcp-session/postgres';
import { expect, inject, it, onTestFinished, vi } from 'vitest';
import { Proxy } from './support/proxy.ts';

/** What must be seen nowhere. */
const PIECES = ['hunter2', 's3cr3t', 'pa55w0rd'] as const;
const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index));

/** The error of opening a store, after a look at all of it. */
async function failure(url: string | undefined): Promise<Error> {
  const options = { ...(url !== undefined && { url }), statementTimeoutMs: 1_000 };
  const error: unknown = await createPostgresStore(options).then(
    () => new Error('It opened'),
    (reason: unknown) => reason,
  );
  const seen = `${inspect(error, { depth: 10, showHidden: true })} ${String(error)} ${JSON.stringify(error)}`;
  for (const piece of PIECES) expect(seen).not.toContain(piece);
  return error as Error;
}

function place(): string {
  return new URL(inject('postgres').url).host;
}

it('no error shows a password, whatever is unescaped in it', { timeout: 60_000 }, async () => {
  const proxy = await Proxy.open(inject('postgres').url);
  proxy.close();
  const closed = new URL(proxy.url).host;
  for (const [index, character] of printable.entries()) {
    const next = printable[(index * 7 + 3) % printable.length] ?? '';
    for (const password of [
      `hunter2${character}s3cr3t`,
      `${character}hunter2`,
      `hunter2${character}`,
      `hunter2${character}s3cr3t${next}pa55w0rd`,
    ]) {
      for (const at of [closed, `db.invalid:99999`]) {
        const error = await failure(`postgres://app:${password}@${at}/app`);
        expect(error.message).toMatch(/^(Option url is no|Session store cannot be reached)/);
      }
    }
  }
});

it.each([
  ['a port that is too high', 'postgres://app:hunter2@db.example:99999/app'],
  ['a fragment', 'postgres://app:hunter2#s3cr3t@db.example/app'],
  ['a path', 'postgres://app:hunter2/s3cr3t@db.example/app'],
  ['a query', 'postgres://app:hunter2?s3cr3t@db.example/app'],
  ['a host', 'postgres://app:p@hunter2#w/s3cr3t@db.example/app'],
  ['several hosts', 'postgres://app:p@hunter2,s3cr3t@db.example/app'],
  ['no host', 'postgres://app:hunter2@/app'],
  ['no user', 'postgres://hunter2#@db.example/app'],
  ['half an escape', 'postgres://app:hunter2%@db.example/app'],
  ['an escape that is no UTF-8', 'postgres://app:hunter2%ff@db.example/app'],
  ['a bracket', 'postgres://app:x@[hunter2/app'],
])('a URL that is none, with a password that became %s', async (_, url) => {
  const error = await failure(url);
  expect(error).toBeInstanceOf(TypeError);
  expect(error.message).toMatch(/^Option url is not the URL of a database; is its password percent-encoded/);
  expect(error.cause).toBeUndefined();
});

it('a setting of the URL that postgres.js does not take', async () => {
  const error = await failure(`postgres://app:hunter2@${place()}/app?target_session_attrs=s3cr3t`);
  expect(error).toBeInstanceOf(TypeError);
});

it('a wrong password that is percent-encoded is refused by the server', { timeout: 60_000 }, async () => {
  for (const character of printable.filter((each) => !/\w/.test(each))) {
    const password = encodeURIComponent(`hunter2${character}s3cr3t`);
    expect(await failure(`postgres://postgres:${password}@${place()}/app`)).toMatchObject({ code: 'STORE_DENIED' });
  }
});

it('variables of the environment are checked too, and not shown', async () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.stubEnv('DATABASE_URL', 'postgres://app:hunter2#s3cr3t@db.example/app');
  expect((await failure(undefined)).message).toMatch(/^Environment variable DATABASE_URL is not the URL/);
  vi.stubEnv('DATABASE_URL', undefined);
  vi.stubEnv('PGPASSWORD', 'hunter2');
  const whole = 'postgres://app:hunter2@db.example/app';
  for (const [name, value] of Object.entries({ PGHOST: whole, PGPORT: 's3cr3t', PGDATABASE: whole })) {
    vi.stubEnv(name, value);
    expect((await failure(undefined)).message).toMatch(new RegExp(`^Environment variable ${name} is not `));
    vi.stubEnv(name, undefined);
  }
  const [host, port] = place().split(':');
  vi.stubEnv('PGHOST', host);
  vi.stubEnv('PGPORT', port);
  vi.stubEnv('PGUSER', 'postgres');
  expect(await failure(undefined)).toMatchObject({ code: 'STORE_DENIED' });
});

it.each<[unknown, string]>([
  [{ connectionString: 'postgres://app:hunter2@db/app' }, 'Unknown option connectionString; did you mean url?'],
  [{ max: 3 }, 'Unknown option max; did you mean maxConnections?'],
  [{ ssl: true }, 'Unknown option ssl; put ?sslmode=require into url'],
  [{ tls: true }, 'Unknown option tls; put ?sslmode=require into url'],
  [{ sslmode: 'hunter2' }, 'Unknown option sslmode; put ?sslmode=require into url'],
  ...['host', 'port', 'user', 'password', 'database'].map((name): [unknown, string] => [
    { [name]: 'hunter2' },
    `Unknown option ${name}; put it into url, postgres://user:password@host:5432/database`,
  ]),
  [{ idle_timeout: 3 }, 'Unknown option idle_timeout; make a client of postgres.js with it and give it as sql'],
  [{ url: undefined }, 'Option url is undefined; leave it out to use DATABASE_URL'],
  [{ sql: undefined }, 'Option sql is undefined; leave it out to use url'],
  [{ schema: undefined }, 'Option schema is undefined; leave it out to use public'],
  [{ tablePrefix: undefined }, 'Option tablePrefix is undefined; leave it out to use mcp_'],
  [{ ttl: 60 }, 'Unknown option ttl; did you mean ttlMs?'],
  ['postgres://app:hunter2@db/app', 'Options are a string, not an object'],
  [null, 'Options are null, not an object'],
])('options that are none of ours: %o', async (options, message) => {
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.stubEnv('DATABASE_URL', 'postgres://app@127.0.0.1:1/other');
  for (const open of [createPostgresStore, migratePostgres]) {
    await expect(open(options as object)).rejects.toThrow(new TypeError(message));
  }
  await expect(createPostgresBackend({ ttlMs: 1 } as object)).rejects.toThrow('Unknown option ttlMs');
});
