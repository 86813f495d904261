import type { SessionBackend } from '@mcp-session/core/backend';
import { createPostgresStore } from '@mcp-session/postgres';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Proxy } from './support/proxy.ts';
import { append, createSession, newSchema, openBackend } from './support/schemas.ts';

/** A migrated backend behind a proxy, with a session `a`. */
async function behindProxy(options: { readonly statementTimeoutMs?: number; readonly maxConnections?: number } = {}) {
  const { url, schema } = await newSchema();
  const proxy = await Proxy.open(url);
  const backend = await openBackend({ url: proxy.url, schema, notifications: 'off', ...options });
  await backend.migrate();
  await createSession(backend);
  return { proxy, backend, url, schema };
}

async function lastSeq(backend: SessionBackend): Promise<number | undefined> {
  return (await backend.readSession('a', 1))?.lastSeq;
}

describe('a connection that is cut', () => {
  it('before the server has the statement: the outcome is unknown, and nothing was written', async () => {
    const { proxy, backend } = await behindProxy();
    await append(backend, 'warm-up');
    proxy.toServer = (bytes, link) => (bytes.includes('lost') ? link.cut() : bytes);
    await expect(append(backend, 'lost')).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryable: true,
      outcomeUnknown: true,
    });
    proxy.toServer = (bytes) => bytes;
    expect(await lastSeq(backend)).toBe(1);
    expect(await append(backend, 'lost')).toMatchObject([{ firstSeq: 2 }]);
    expect(await lastSeq(backend)).toBe(2);
  });

  it('after the commit, before its answer: a retry with the token appends nothing and gets the first outcome', async () => {
    const { proxy, backend, url, schema } = await behindProxy();
    const direct = await openBackend({ url, schema, notifications: 'off' });
    await append(backend, 'warm-up');
    let sent = false;
    proxy.toServer = (bytes) => {
      sent ||= bytes.includes('committed');
      return bytes;
    };
    proxy.toClient = (bytes, link) => (sent ? link.cut() : bytes);
    await expect(append(backend, 'committed')).rejects.toMatchObject({ retryable: true, outcomeUnknown: true });
    expect(await lastSeq(direct)).toBe(2);
    proxy.toClient = (bytes) => bytes;
    expect(await append(backend, 'committed')).toMatchObject([{ firstSeq: 2, retainedEvents: 2 }]);
    expect(await lastSeq(direct)).toBe(2);
  });

  it('a read that is cut off has a known outcome', async () => {
    const { proxy, backend } = await behindProxy();
    await lastSeq(backend);
    proxy.toServer = (_, link) => link.cut();
    await expect(lastSeq(backend)).rejects.toMatchObject({ retryable: true, outcomeUnknown: false });
  });

  it('a store appends each event once, however often its connections are cut', { timeout: 60_000 }, async () => {
    const { url, schema } = await newSchema();
    const proxy = await Proxy.open(url);
    const store = await createPostgresStore({ url: proxy.url, schema });
    onTestFinished(() => store.close());
    const session = await store.create();
    let count = 0;
    // Each twelfth answer is lost, whatever it answers.
    proxy.toClient = (bytes, link) => (++count % 12 === 0 ? link.cut() : bytes);
    const seqs = [];
    for (let n = 0; n < 100; n++) seqs.push(await appendUntilDone(() => session.events.append('s', n)));
    proxy.toClient = (bytes) => bytes;
    const messages = [];
    for await (const { message } of session.events.replay()) messages.push(message);
    expect(messages).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(seqs).toHaveLength(100);
    expect(count).toBeGreaterThan(100);
  });
});

/**
 * Core tries again itself where the outcome is unknown. What was refused before it was sent is the
 * caller's to try again.
 */
async function appendUntilDone(call: () => Promise<unknown>): Promise<unknown> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const { retryable, outcomeUnknown } = error as { readonly retryable: boolean; readonly outcomeUnknown: boolean };
      expect({ retryable, outcomeUnknown }).toEqual({ retryable: true, outcomeUnknown: false });
    }
  }
}

describe('a server that hangs', () => {
  it('calls fail in bounded time, and succeed when the server is back', { timeout: 60_000 }, async () => {
    const { proxy, backend } = await behindProxy({ statementTimeoutMs: 2_000, maxConnections: 2 });
    await append(backend, 'warm-up');
    proxy.hang();
    const began = performance.now();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, (_, n) => (n % 2 === 0 ? append(backend, `hanging-${n}`) : lastSeq(backend))),
    );
    expect(performance.now() - began).toBeLessThan(25_000);
    expect(outcomes.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 'rejected'));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ reason: { name: 'SessionError', retryable: true, code: /UNAVAILABLE|BUSY/ } });
    }
    expect(outcomes[0]).toMatchObject({ reason: { code: 'STORE_UNAVAILABLE', outcomeUnknown: true } });
    expect(outcomes[1]).toMatchObject({ reason: { outcomeUnknown: false } });
    // There are two connections: the others never left the pool, and must not be written when it is
    // their turn at last.
    expect(outcomes[4]).toMatchObject({ reason: { code: 'STORE_BUSY', outcomeUnknown: false } });
    proxy.resume();
    await append(backend, 'hanging-0');
    const repeated = await append(backend, 'hanging-0');
    const after = (await lastSeq(backend)) ?? 0;
    expect(repeated).toMatchObject([{ retainedEvents: after }]);
    expect(await append(backend, 'hanging-4')).toMatchObject([{ firstSeq: after + 1 }]);
  });

  it('opening fails in bounded time too', { timeout: 60_000 }, async () => {
    const { url, schema } = await newSchema();
    const proxy = await Proxy.open(url);
    proxy.hang();
    await expect(createPostgresStore({ url: proxy.url, schema, statementTimeoutMs: 1_000 })).rejects.toMatchObject({
      code: /STORE_(UNAVAILABLE|BUSY)/,
      retryable: true,
    });
  });
});
