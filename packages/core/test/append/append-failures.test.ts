import { SessionError } from '@mcp-session/core';
import { describe, expect, it } from 'vitest';
import { codeOf, collect } from '../support/errors.ts';
import { open } from '../support/open.ts';

describe('a failed batch', () => {
  it('that fails permanently is repeated session by session under the same tokens, and fails only those that it must', async () => {
    const tokens = new Map<string, Set<string>>();
    let poison = '';
    const { store } = await open({}, (inner) => ({
      appendEvents(batch, now) {
        for (const { sessionId, token } of batch) {
          tokens.set(sessionId, (tokens.get(sessionId) ?? new Set()).add(token));
        }
        if (batch.some(({ sessionId }) => sessionId === poison)) {
          return Promise.reject(new SessionError('STORE_DENIED', 'Row is denied'));
        }
        return inner.appendEvents(batch, now);
      },
    }));
    const sessions = [await store.create(), await store.create(), await store.create()];
    poison = sessions[1]?.id ?? '';

    const outcomes = await Promise.all(sessions.map(({ events }) => codeOf(() => events.append('s', 1))));

    expect(outcomes).toEqual(['none', 'STORE_DENIED', 'none']);
    expect([...tokens.values()].map(({ size }) => size)).toEqual([1, 1, 1]);
  });

  it('that fails temporarily as a whole fails all its appends, and nothing is repeated behind their backs', async () => {
    let calls = 0;
    const { store } = await open({}, (inner) => ({
      appendEvents(batch, now) {
        if (calls++ === 0) return Promise.reject(new SessionError('STORE_BUSY', 'Locked', { retryable: true }));
        return inner.appendEvents(batch, now);
      },
    }));
    const sessions = [await store.create(), await store.create()];

    const outcomes = await Promise.all(sessions.map(({ events }) => codeOf(() => events.append('s', 1))));

    expect(outcomes).toEqual(['STORE_BUSY', 'STORE_BUSY']);
    expect(calls).toBe(1);
    expect(await sessions[0]?.events.append('s', 2)).toMatch(/^1\./);
  });

  it('with an unknown outcome is repeated with the same token, and appended once', async () => {
    let calls = 0;
    const seen: string[] = [];
    const { store } = await open({}, (inner) => ({
      async appendEvents(batch, now) {
        seen.push(...batch.map(({ token }) => token));
        const results = await inner.appendEvents(batch, now);
        if (++calls < 3) {
          throw new SessionError('STORE_UNAVAILABLE', 'Connection lost', { retryable: true, outcomeUnknown: true });
        }
        return results;
      },
    }));
    const { events } = await store.create();

    const ids = await Promise.all([events.append('s', 1), events.append('s', 2)]);

    expect(calls).toBe(3);
    expect(new Set(seen).size).toBe(1);
    expect((await collect(events.replay())).map(({ id }) => id)).toEqual(ids);
  });

  it('whose outcome stays unknown is given up after three repetitions, and says so', async () => {
    let calls = 0;
    const { store } = await open({}, () => ({
      appendEvents() {
        calls++;
        return Promise.reject(
          new SessionError('STORE_UNAVAILABLE', 'Connection lost', { retryable: true, outcomeUnknown: true }),
        );
      },
    }));
    const { events } = await store.create();

    await expect(events.append('s', 1)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', outcomeUnknown: true });
    expect(calls).toBe(4);
  });

  it('does not hold up later appends', async () => {
    let failing = true;
    const { store } = await open({}, (inner) => ({
      appendEvents: (batch, now) => (failing ? Promise.reject(new Error('driver')) : inner.appendEvents(batch, now)),
    }));
    const { events } = await store.create();

    await expect(events.append('s', 1)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: 'memory failed in appendEvents',
      cause: new Error('driver'),
    });
    failing = false;
    expect(await events.append('s', 2)).toMatch(/^1\./);
  });
});
