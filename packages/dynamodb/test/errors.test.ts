import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SessionError } from '@mcp-session/core';
import type { SessionBackend } from '@mcp-session/core/backend';
import { createDynamoDbBackend, createDynamoDbStore, type DynamoDbStoreOptions } from '@mcp-session/dynamodb';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { run } from './support/children.ts';
import { openBehindProxy } from './support/open.ts';
import { optionsOf } from './support/storage.ts';

const NOW = 1_800_000_000_000;
const SECRET = 'tiger-S3CR3T';
const unreachable = 'http://127.0.0.1:1';

async function failure(work: () => Promise<unknown>): Promise<Error> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  return expect.unreachable('It succeeded');
}

beforeEach(() => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_REGION', 'AWS_PROFILE']) {
    vi.stubEnv(name, undefined);
  }
  vi.stubEnv('HOME', '/nonexistent');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
});

afterEach(() => vi.unstubAllEnvs());

describe('a set-up that cannot work says what to do', () => {
  it.each<[string, DynamoDbStoreOptions, string, RegExp]>([
    ['no region', {}, 'STORE_UNAVAILABLE', /AWS_REGION/],
    [
      'no credentials',
      { region: 'eu-central-1' },
      'STORE_DENIED',
      /no AWS credentials were found; set AWS_ACCESS_KEY_ID/,
    ],
    [
      'no credentials, and nothing at the endpoint',
      { region: 'eu-central-1', endpoint: unreachable },
      'STORE_DENIED',
      /no AWS credentials were found.*any values for DynamoDB Local/,
    ],
  ])('%s', async (_name, options, code, message) => {
    const error = await failure(() => createDynamoDbStore(options));
    expect(error).toMatchObject({ code, retryable: false });
    expect(error.message).toMatch(message);
  });

  it('no driver', { timeout: 30_000 }, async () => {
    expect(JSON.parse(await run('without-driver.ts'))).toEqual({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('npm install @aws-sdk/client-dynamodb'),
    });
  });
});

describe('options', () => {
  it.each<[unknown, string]>([
    ['http://localhost:8000', 'Options are a string, not an object'],
    [{ connectionString: 'x' }, 'Unknown option connectionString; did you mean endpoint?'],
    [{ credentials: { secretAccessKey: SECRET } }, 'Unknown option credentials; did you mean client?'],
    [{ tableName: 'x' }, 'Unknown option tableName; did you mean sessionsTable?'],
    [{ tablePrefix: 'x_' }, 'Unknown option tablePrefix; name the tables by sessionsTable and eventsTable'],
    [{ sessionsTable: undefined }, 'Option sessionsTable is undefined; leave it out to use mcp-sessions'],
    [{ region: undefined }, 'Option region is undefined; leave it out to use AWS_REGION or the profile'],
    [{ client: undefined }, 'Option client is undefined; leave it out to use region and endpoint'],
    [{ billing: { read: 1 } }, 'Option billing.write is not a number'],
    [{ billing: { read: 1, write: 1, max: 2 } }, 'Unknown option max of billing'],
    [{ client: Promise.resolve() }, 'Option client is a promise'],
  ])('%j', async (options, message) => {
    await expect(createDynamoDbBackend(options as object)).rejects.toThrow(message);
    expect((await failure(() => createDynamoDbStore(options as object))).message).toContain(message);
  });

  it('those of every store are accepted by the store, and not by the backend alone', async () => {
    await expect(createDynamoDbBackend({ ttlMs: 1 } as object)).rejects.toThrow('Unknown option ttlMs');
    const error = await failure(() => createDynamoDbStore({ region: 'x', ttlMs: 1, endpoint: unreachable }));
    expect(error).toMatchObject({ code: 'STORE_DENIED' });
  });
});

describe('credentials are in no error', () => {
  const credentials = { accessKeyId: 'AKIA', secretAccessKey: SECRET, sessionToken: `${SECRET}-token` };
  const places: readonly (readonly [string, unknown])[] = [
    ...[
      'sessionsTable',
      'eventsTable',
      'region',
      'endpoint',
      'client',
      'autoCreateTables',
      'billing',
      'encryption',
    ].map((name) => [name, `http://user:${SECRET}@127.0.0.1:1/ ?`] as const),
    ['endpoint', `http://user:${SECRET}@127.0.0.1:1`],
    ['endpoint', `${SECRET}://127.0.0.1`],
    ['credentials', credentials],
    ['client', credentials],
    ['billing', { read: SECRET, write: credentials }],
    ['maxAttempts', SECRET],
  ];

  it.each(places)('option %s: %j', async (name, value) => {
    const error = await failure(() => createDynamoDbStore({ region: 'eu-central-1', maxAttempts: 1, [name]: value }));
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(SECRET);
  });

  it('of requests that fail, whatever the failure', async () => {
    const { proxy, through } = await openBehindProxy();
    const make = (endpoint: string) => {
      const client = new DynamoDBClient({ endpoint, region: 'eu-central-1', credentials, maxAttempts: 1 });
      onTestFinished(() => client.destroy());
      return createDynamoDbBackend({ ...optionsOf(through), client, maxAttempts: 1, maxConflicts: 1 });
    };
    const calls = (backend: SessionBackend) => [
      () => backend.ping(),
      () => backend.endSession('s', NOW, NOW),
      () => backend.migrate(),
    ];
    for (const call of calls(await make(unreachable))) {
      expect(inspect(await failure(call), { depth: 10, showHidden: true })).not.toContain(SECRET);
    }
    for (const [status, name] of [
      [400, 'AccessDeniedException'],
      [400, 'ThrottlingException'],
      [400, 'TransactionConflictException'],
      [400, 'ValidationException'],
      [500, 'InternalServerError'],
    ] as const) {
      proxy.fault = () => ({ kind: 'error', status, name });
      for (const call of calls(await make(proxy.url))) {
        const error = await failure(call);
        expect(error).toBeInstanceOf(SessionError);
        expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(SECRET);
      }
    }
  });
});

describe('what an error is about', () => {
  it.each<[string, object, string, string]>([
    ['ItemCollectionSizeLimitExceededException', {}, 'STORE_FULL', 'session'],
    ['TransactionConflictException', {}, 'STORE_BUSY', 'session'],
    ['ProvisionedThroughputExceededException', {}, 'STORE_BUSY', 'session'],
    [
      'ThrottlingException',
      { throttlingReasons: [{ reason: 'TableWriteKeyRangeThroughputExceeded' }] },
      'STORE_BUSY',
      'session',
    ],
    [
      'ThrottlingException',
      { throttlingReasons: [{ reason: 'TableWriteAccountLimitExceeded' }] },
      'STORE_BUSY',
      'store',
    ],
    ['RequestLimitExceeded', {}, 'STORE_BUSY', 'store'],
    ['AccessDeniedException', {}, 'STORE_DENIED', 'store'],
    ['InternalServerError', {}, 'STORE_UNAVAILABLE', 'store'],
    ['ValidationException', {}, 'STORE_FAILED', 'store'],
  ])('%s %j', async (name, facts, code, scope) => {
    const words = 'arn:aws:dynamodb:eu-central-1:123456789012:table/secret-name said no to value "x"';
    const client = {
      config: {},
      send: async () => Promise.reject(Object.assign(new Error(words), { name, ...facts })),
      destroy: () => undefined,
    };
    const names = { sessionsTable: 'my-sessions', eventsTable: 'my-events' };
    const backend = await createDynamoDbBackend({ client, ...names, maxAttempts: 1, maxConflicts: 1 });
    const error = await failure(() => backend.ping());
    expect(error).toMatchObject({ code, scope, store: 'DynamoDB tables my-sessions and my-events' });
    // Tools pass messages on to clients.
    expect(error.message).not.toMatch(/arn|123456789012|my-|said|"x"/);
    expect(error.cause).toMatchObject({ message: words });
  });
});
