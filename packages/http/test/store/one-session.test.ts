import { SessionError, type SessionErrorCode } from '@mcp-session/core';
import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { createMemoryBackend, createMemoryStore } from '@mcp-session/core/memory';
import { describe, expect, it } from 'vitest';
import type { StoreStatus } from '../../src/v1.ts';
import { start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';

/**
 * The backend in memory, which refuses the appends of one session as a database does whose
 * partition is full or throttled.
 */
function refusing(): { readonly backend: SessionBackend; refuse(sessionId: string, code: SessionErrorCode): void } {
  let refused: { readonly sessionId: string; readonly code: SessionErrorCode } | undefined;
  const inner = createMemoryBackend();
  const appendEvents: SessionBackend['appendEvents'] = async (batch, now) => {
    const allowed = batch.filter(({ sessionId }) => sessionId !== refused?.sessionId);
    const outcomes = [...(await inner.appendEvents(allowed, now))];
    return batch.map(({ sessionId }) =>
      sessionId === refused?.sessionId
        ? new SessionError(refused.code, 'Events of this session are refused', {
            scope: 'session',
            retryable: refused.code === 'STORE_BUSY',
          })
        : outcomes.shift(),
    );
  };
  const backend = new Proxy(inner, {
    get(target, name) {
      if (name === 'appendEvents') return appendEvents;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { backend, refuse: (sessionId, code) => (refused = { sessionId, code }) };
}

describe.each(lines)("one session's failure, SDK $name", (line) => {
  it.each([
    ['degrade', 'STORE_FULL'],
    ['degrade', 'STORE_BUSY'],
    ['fail', 'STORE_FULL'],
  ] as const)('does not affect other sessions, onStoreError: %s, %s', async (onStoreError, code) => {
    const { backend, refuse } = refusing();
    const statuses: StoreStatus[] = [];
    const { raw, errors } = await start(line, {
      store: await createSessionStore(backend),
      tools: { echo: () => 'x' },
      onStoreError,
      onStoreStatus: (status) => void statuses.push(status),
    });
    const [mallory, alice] = [raw(), raw()];
    const sessionId = await mallory.begin();
    await alice.begin();
    refuse(sessionId, code);
    const refused = Promise.all(Array.from({ length: 10 }, () => mallory.callTool('echo')));
    let over = false;
    void refused.then(() => (over = true));
    for (let round = 0; round < 10 || !over; round++) {
      const frames = await (await alice.callTool('echo')).sse.rest();
      expect(frames.at(-1)).toMatchObject({ id: expect.any(String), data: expect.stringContaining('"x"') });
    }
    // Whose session it is gets what the option says.
    for (const response of await refused) {
      if (onStoreError === 'fail') expect(response.status).toBe(503);
      else expect((await response.sse.rest()).at(-1)).toEqual({ data: expect.stringContaining('"x"') });
    }
    expect(statuses).toEqual([]);
    // The operator gets it once, and not for each request that goes on without the store.
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.every((error) => (error as SessionError).code === code)).toBe(true);
    if (onStoreError === 'degrade') expect(errors.length).toBeLessThan(10);
  });

  it('does not affect other sessions of a full store in memory, onStoreError: degrade', async () => {
    const statuses: StoreStatus[] = [];
    const { raw, errors } = await start(line, {
      store: await createMemoryStore({ maxBytes: 200_000 }),
      tools: { echo: () => 'x', big: () => 'x'.repeat(300_000) },
      onStoreError: 'degrade',
      onStoreStatus: (status) => void statuses.push(status),
    });
    const [mallory, alice] = [raw(), raw()];
    await mallory.begin();
    await alice.begin();
    for (let round = 0; round < 3; round++) {
      const frames = await (await mallory.callTool('big')).sse.rest();
      // Not stored, so it has no id.
      expect(frames.at(-1)).toEqual({ data: expect.stringContaining('xxx') });
      const small = await (await alice.callTool('echo')).sse.rest();
      expect(small.at(-1)).toMatchObject({ id: expect.any(String), data: expect.stringContaining('"x"') });
    }
    expect(statuses).toEqual([]);
    expect(errors[0]).toMatchObject({ code: 'STORE_FULL', scope: 'session' });
  });
});
