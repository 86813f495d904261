import type { SessionStore } from '@mcp-session/core';
import { createMemoryStore } from '@mcp-session/core/memory';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { OAuthError, OAuthErrorCode } from '@modelcontextprotocol/server';
import { expect, onTestFinished } from 'vitest';
import type { SessionHandler } from '../../src/v1.ts';
import type { Line, TestAuth, TestServer } from './line.ts';
import { initialize, RawClient } from './raw.ts';
import { v2 } from './v2.ts';

type Verified = TestAuth & { readonly expiresAt: number };

const known = new Set(['ada', 'bob']);

/** A verifier of tokens for SDK v1: the token names its subject. */
export async function verifyV1(token: string): Promise<Verified> {
  if (!known.has(token)) throw new InvalidTokenError('no such token');
  return {
    token,
    clientId: 'one app for all',
    scopes: [],
    expiresAt: 9_999_999_999,
    extra: { iss: 'https://i', sub: token },
  };
}

/** The same for SDK v2. */
export async function verifyV2(token: string): Promise<Verified> {
  if (!known.has(token)) throw new OAuthError(OAuthErrorCode.InvalidToken, 'no such token');
  return verifyV1(token);
}

interface Served {
  readonly line?: Line;
  /** Default: one of its own. */
  readonly store?: SessionStore;
  /** Besides `whoami`. */
  readonly tools?: TestServer['tools'];
}

/** A handler whose tool `whoami` tells the principal; gone when the test is. */
export async function handlerOf({ line = v2, tools = {}, ...given }: Served = {}): Promise<SessionHandler<TestAuth>> {
  const store = given.store ?? (await createMemoryStore());
  const handler = line.createHandler({
    store,
    retryIntervalMs: 20,
    serve: ({ principal }) => ({ tools: { ...tools, whoami: () => String(principal) } }),
  });
  onTestFinished(async () => {
    await handler.close();
    await store.close();
  });
  return handler;
}

/**
 * What has to hold behind any framework: a real client is served, as whom its token says, and
 * nobody else gets at its session.
 */
export async function expectServed(url: URL, line: Line = v2): Promise<void> {
  const client = await line.connect(url, { headers: { authorization: 'Bearer ada' } });
  expect(await client.call('whoami')).toBe('https://i|ada');
  const bob = new RawClient(url, { authorization: 'Bearer bob', 'mcp-session-id': client.sessionId });
  expect((await bob.callTool('whoami')).status).toBe(404);
  expect((await new RawClient(url).post(initialize())).status).toBe(401);
  expect((await new RawClient(url, { authorization: 'Bearer eve' }).post(initialize())).status).toBe(401);
  await client.terminate();
  await client.close();
  expect(client.errors).toEqual([]);
}
