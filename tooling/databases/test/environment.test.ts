import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, inject, it } from 'vitest';
import { ForcedSourceError, openDatabase, openOwnServer, shareDatabase } from '../src/index.ts';
import { freePort } from '../src/lib/port.ts';

const postgresVariable = 'MCP_SESSION_TEST_POSTGRES_URL';
const dynamodbVariable = 'MCP_SESSION_TEST_DYNAMODB_URL';
const mode = 'MCP_SESSION_TEST_DATABASES';

describe('a URL in the environment', () => {
  it('is used as it is, and its server is left running', async () => {
    const { url } = inject('postgres');
    const env = { [postgresVariable]: url };
    const lines: string[] = [];
    const server = await openDatabase('postgres', { env, log: (line) => lines.push(line) });
    await server.close();
    const again = await openDatabase('postgres', { env });

    expect(server).toMatchObject({ database: 'postgres', source: 'env', url });
    expect(again.url).toBe(url);
    expect(lines).toEqual([
      expect.stringMatching(/^test database postgres: PostgreSQL \d+\.\d+ at \S+:\d+, source "env"$/),
    ]);
    expect(lines[0]).not.toContain(new URL(url).password);
  });

  it('works for DynamoDB alike', async () => {
    const { url } = inject('dynamodb');
    const server = await openDatabase('dynamodb', { env: { [dynamodbVariable]: url } });
    expect(server).toMatchObject({ database: 'dynamodb', source: 'env', url });
  });

  it.each([
    ['postgres', postgresVariable, 'postgres://user:secret@'],
    ['dynamodb', dynamodbVariable, 'http://'],
  ] as const)('that does not answer is a failure for %s, not a fallback', async (database, variable, start) => {
    const port = await freePort();
    const opened = openDatabase(database, { env: { [variable]: `${start}127.0.0.1:${port}` } });
    await expect(opened).rejects.toThrow(ForcedSourceError);
    await expect(opened).rejects.toThrow(`${variable} names 127.0.0.1:${port}, which does not answer: `);
    await expect(opened).rejects.not.toThrow('secret');
  });

  it('that leads to something else is a failure', async () => {
    const stranger = createServer((_request, response) => response.writeHead(404).end('not here'));
    stranger.listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    const { port } = stranger.address() as AddressInfo;
    try {
      const env = { [dynamodbVariable]: `http://127.0.0.1:${port}` };
      await expect(openDatabase('dynamodb', { env })).rejects.toThrow(`${dynamodbVariable} names 127.0.0.1:${port}`);
    } finally {
      stranger.close();
    }
  });

  it.each([
    ['postgres', postgresVariable, 'localhost:5432', '"postgres://" or "postgresql://"'],
    ['postgres', postgresVariable, 'http://localhost', '"postgres://" or "postgresql://"'],
    ['dynamodb', dynamodbVariable, 'localhost', '"http://" or "https://"'],
  ] as const)('of another kind is refused: %s, %s=%s', async (database, variable, value, valid) => {
    await expect(openDatabase(database, { env: { [variable]: value } })).rejects.toThrow(
      new ForcedSourceError(`${variable} is not a URL that begins with ${valid}`),
    );
  });

  it('is missed when the environment is forced', async () => {
    await expect(openDatabase('postgres', { env: { [mode]: 'env', [postgresVariable]: '' } })).rejects.toThrow(
      `${mode} is "env", which does not work for postgres: ${postgresVariable} is not set\nStart a server`,
    );
  });

  it('is no server that a test may stop', async () => {
    const env = { [mode]: 'env', [postgresVariable]: inject('postgres').url };
    await expect(openOwnServer('postgres', { env })).rejects.toThrow('must not stop a server that it did not start');
  });
});

describe('a database that processes share', () => {
  const log = (): void => undefined;

  it('is in the environment until its end', async () => {
    const env: NodeJS.ProcessEnv = {};
    const end = await shareDatabase('postgres', env, log);
    const server = await openDatabase('postgres', { env });
    await server.close();

    expect(await openDatabase('postgres', { env })).toMatchObject({ source: 'env', url: env[postgresVariable] });
    await end();
    await expect(openDatabase('postgres', { env })).rejects.toThrow('which does not answer');
  });

  it('is the one that the environment names already', async () => {
    const { url } = inject('postgres');
    const env = { [postgresVariable]: url };
    const end = await shareDatabase('postgres', env, log);
    await end();

    expect(await openDatabase('postgres', { env })).toMatchObject({ source: 'env', url });
  });

  it('is none where the environment forces a source', async () => {
    const env = { [mode]: 'embedded' };
    await shareDatabase('postgres', env, log);

    expect(env).toEqual({ [mode]: 'embedded' });
  });
});

it('refuses an unknown mode before it tries anything', async () => {
  const env = { [mode]: 'cloud', [postgresVariable]: inject('postgres').url };
  await expect(openDatabase('postgres', { env })).rejects.toThrow(`${mode} is "cloud", which is none of`);
});
