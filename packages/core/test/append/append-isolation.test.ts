import { SessionError, type Session } from '@mcp-session/core';
import type { AppendOutcome, SessionBackend } from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';
import { codeOf, collect } from '../support/errors.ts';
import { gate, type Overrides } from '../support/intercept.ts';
import { open } from '../support/open.ts';

type Append = SessionBackend['appendEvents'];

const throttled = () => new SessionError('STORE_BUSY', 'Throttled', { retryable: true, scope: 'session' });

/**
 * One session in trouble and 20 others, on a backend that handles each of a call by itself, or all
 * of it together.
 */
async function crowd(appendEvents: (inner: Append, troubled: () => string) => Append, facts: object = {}) {
  let troubled = '';
  const opened = await open({}, (inner): Overrides => ({
    capabilities: { ...inner.capabilities, ...facts },
    appendEvents: appendEvents(inner.appendEvents.bind(inner), () => troubled),
  }));
  const others = await Promise.all(Array.from({ length: 20 }, () => opened.store.create()));
  const one = await opened.store.create();
  troubled = one.id;
  return { ...opened, one, others };
}

function appendTo(sessions: readonly Session[]): Promise<string[]> {
  return Promise.all(sessions.map(({ events }) => events.append('s', 1)));
}

describe('a session in trouble', () => {
  it.each([
    { name: 'answers each request by itself', maxBatchSessions: 1_000 },
    { name: 'takes one session a call', maxBatchSessions: 1 },
  ])('holds up nobody else on a backend that $name', async ({ maxBatchSessions }) => {
    const { opened, open: goOn } = gate();
    // Each session of a call is a request of its own there, and the call of the troubled one takes
    // its time.
    const { one, others } = await crowd(
      (append, troubled) => async (batch, now) => {
        if (maxBatchSessions === 1 && batch[0]?.sessionId === troubled()) await opened;
        const outcomes: AppendOutcome[] = [];
        for (const request of batch) {
          outcomes.push(request.sessionId === troubled() ? throttled() : (await append([request], now))[0]);
        }
        return outcomes;
      },
      { maxBatchSessions, concurrentBatches: 2 },
    );

    const failing = codeOf(() => one.events.append('s', 1));
    expect(await appendTo(others)).toHaveLength(20);
    goOn();
    expect(await failing).toBe('STORE_BUSY');
  });

  it('is isolated if the backend knows only that the whole call failed: each alone, under the same tokens', async () => {
    const { opened, open: goOn } = gate();
    const tokens = new Map<string, Set<string>>();
    const { one, others } = await crowd((append, troubled) => async (batch, now) => {
      for (const { sessionId, token } of batch) tokens.set(sessionId, (tokens.get(sessionId) ?? new Set()).add(token));
      if (!batch.some(({ sessionId }) => sessionId === troubled())) return append(batch, now);
      // Its row is held: a call that needs it ends when the time is up. What is alone with it waits
      // for long.
      if (batch.length === 1) await opened;
      throw throttled();
    });

    const failing = codeOf(() => one.events.append('s', 1));
    // Before its own answer, and once each.
    expect(await appendTo(others)).toHaveLength(20);
    goOn();
    expect(await failing).toBe('STORE_BUSY');
    expect([...tokens.values()].map(({ size }) => size)).toEqual(Array.from({ length: 21 }, () => 1));
    for (const { events } of others) expect(await collect(events.replay())).toHaveLength(1);
  });

  it('goes alone until it recovers, so that it costs the others at most one call', async () => {
    const calls: number[] = [];
    let healed = false;
    const { one, others } = await crowd((append, troubled) => async (batch, now) => {
      calls.push(batch.length);
      if (!healed && batch.some(({ sessionId }) => sessionId === troubled())) throw throttled();
      return append(batch, now);
    });
    const all = [one, ...others];
    const round = async () => {
      const outcomes = await Promise.all(all.map(({ events }) => codeOf(() => events.append('s', 1))));
      return outcomes.filter((code) => code !== 'none').length;
    };

    expect(await round()).toBe(1);
    // All of them, then each by itself.
    expect(calls.splice(0)).toEqual([21, ...Array.from({ length: 21 }, () => 1)]);
    expect(await round()).toBe(1);
    expect(calls.splice(0).toSorted((a, b) => a - b)).toEqual([1, 20]);
    healed = true;
    expect(await round()).toBe(0);
    expect(calls.splice(0).toSorted((a, b) => a - b)).toEqual([1, 20]);
    expect(await round()).toBe(0);
    expect(calls.splice(0)).toEqual([21]);
  });

  it('does not block others while its calls hang', async () => {
    const { opened, open: goOn } = gate();
    let hangs = false;
    const { one, others } = await crowd(
      (append, troubled) => async (batch, now) => {
        if (!batch.some(({ sessionId }) => sessionId === troubled())) return append(batch, now);
        if (hangs) await opened;
        throw throttled();
      },
      { concurrentBatches: 1 },
    );
    await codeOf(() => one.events.append('s', 1));
    hangs = true;

    const failing = codeOf(() => one.events.append('s', 2));
    expect(await appendTo(others)).toHaveLength(20);
    goOn();
    expect(await failing).toBe('STORE_BUSY');
  });

  it('whose outcome is unknown is repeated alone, and known outcomes of others resolve at once', async () => {
    const tokens: string[] = [];
    const { opened, open: goOn } = gate();
    const { one, others } = await crowd((append, troubled) => async (batch, now) => {
      const outcomes = await append(batch, now);
      const index = batch.findIndex(({ sessionId }) => sessionId === troubled());
      if (index === -1) return outcomes;
      tokens.push(batch[index]?.token ?? '');
      if (tokens.length > 1) await opened;
      if (tokens.length > 2) return outcomes;
      const lost = new SessionError('STORE_UNAVAILABLE', 'No answer', { retryable: true, outcomeUnknown: true });
      return outcomes.map((outcome, each) => (each === index ? lost : outcome));
    });

    const stored = one.events.append('s', 1);
    expect(await appendTo(others)).toHaveLength(20);
    goOn();
    expect(await stored).toMatch(/^1\./);
    expect(tokens).toHaveLength(3);
    expect(new Set(tokens).size).toBe(1);
    expect(await collect(one.events.replay())).toHaveLength(1);
  });

  it('does not let trims of its log hold up other sessions of the same call', async () => {
    const { opened, open: goOn } = gate();
    let busy = '';
    const { store } = await open({ retention: { maxEvents: 10 } }, (inner) => ({
      trimEvents: async (id, bound, now) => {
        if (id === busy) await opened;
        return inner.trimEvents(id, bound, now);
      },
    }));
    const [one, other] = [await store.create(), await store.create()];
    busy = one.id;
    for (let n = 0; n < 9; n++) await one.events.append('s', n);

    await Promise.all([
      ...Array.from({ length: 10 }, (_, n) => one.events.append('s', n)),
      other.events.append('s', 1),
    ]);
    expect(await other.events.append('s', 2)).toMatch(/^2\./);
    goOn();
    expect(await one.events.append('s', 1)).toMatch(/^20\./);
  });
});
