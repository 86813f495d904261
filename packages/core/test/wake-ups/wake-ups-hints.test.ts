import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SessionError, type SessionEvent } from '@mcp-session/core';
import type { SessionBackend } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { describe, expect, it, onTestFinished, vi, type MockInstance } from 'vitest';
import { WakeUps, type WakeUp } from '../../src/lib/wake-ups/wake-ups.ts';
import { intercept, type Overrides } from '../support/intercept.ts';
import { open, START } from '../support/open.ts';

const NEVER_MS = 1_000_000;

/** A backend whose hints the test gives, and that is polled as seldom or often as it says. */
function hinting(
  minMs: number,
  maxMs: number = minMs,
): { hint: (id: string) => void; stopped: number; over: (inner: SessionBackend) => Overrides } {
  const hints = {
    hint: (_id: string): void => undefined,
    stopped: 0,
    over: (inner: SessionBackend): Overrides => ({
      capabilities: { ...inner.capabilities, poll: { minMs, maxMs } },
      watch: (onHint) => {
        hints.hint = onHint;
        return Promise.resolve(() => {
          hints.stopped++;
          return Promise.resolve();
        });
      },
    }),
  };
  return hints;
}

const message = ({ value }: IteratorResult<SessionEvent, void>): unknown => value?.message;

describe('hints', () => {
  it('wake a tail without a poll, even if doubled, early, or for an unknown session', async () => {
    const backend = createMemoryBackend();
    const hints = hinting(NEVER_MS);
    const here = await open({ backend }, hints.over);
    const there = await open({ backend });
    const { id, events } = await here.store.create();
    const other = (await there.store.get(id)) ?? expect.fail();
    const tail = events.tail();
    const first = tail.next();
    await here.calls.next('readEvents');

    await new Promise((done) => setImmediate(done));
    here.calls.take();
    const readAgain = here.calls.next('readEvents');
    hints.hint(id);
    await readAgain;
    expect(here.calls.take()).toEqual(['readEvents']);
    hints.hint('unknown');
    await other.events.append('s', 1);
    hints.hint(id);
    hints.hint(id);
    expect(message(await first)).toBe(1);
    const second = tail.next();
    await other.events.append('s', 2);
    hints.hint(id);
    expect(message(await second)).toBe(2);
    expect(here.calls.count('readHeads')).toBe(0);
  });

  it('are not lost between a read and the wait that follows', async () => {
    const backend = createMemoryBackend();
    const hints = hinting(NEVER_MS);
    const here = await open({ backend }, hints.over);
    const there = await open({ backend });
    const { id, events } = await here.store.create();
    const other = (await there.store.get(id)) ?? expect.fail();
    await events.append('s', 1);
    const tail = events.tail();
    await tail.next();

    // The reader has the first event and has not asked for the next.
    await other.events.append('s', 2);
    hints.hint(id);

    expect(message(await tail.next())).toBe(2);
  });

  it('are not needed for what this process appends, while a tail waits or reads', async () => {
    const { store, calls } = await open({}, hinting(NEVER_MS).over);
    const { events } = await store.create();
    const tail = events.tail();
    const first = tail.next();
    await calls.next('readEvents');
    await events.append('s', 1);
    expect(message(await first)).toBe(1);

    await events.append('s', 2);

    expect(message(await tail.next())).toBe(2);
  });

  it('that are all lost are replaced by polling', async () => {
    const backend = createMemoryBackend();
    const here = await open({ backend }, hinting(1, 5).over);
    const there = await open({ backend });
    const { id, events } = await here.store.create();
    const other = (await there.store.get(id)) ?? expect.fail();
    const next = events.tail().next();
    await here.calls.next('readHeads');

    await other.events.append('s', 1);

    expect(message(await next)).toBe(1);
  });

  it('are watched once, from the first tail on, and stopped by close', async () => {
    const hints = hinting(NEVER_MS);
    const { store, calls } = await open({}, hints.over);
    const { events } = await store.create();
    expect(calls.count('watch')).toBe(0);

    await events.append('s', 1);
    for (let n = 0; n < 3; n++) await events.tail().next();
    await store.close();

    expect(calls.count('watch')).toBe(1);
    expect(hints.stopped).toBe(1);
  });

  it('that fail are replaced by polls, and the observer gets the failure', async () => {
    const { store, calls } = await open({}, (inner) => ({
      capabilities: { ...inner.capabilities, poll: { minMs: 1, maxMs: 5 } },
      watch: () => Promise.reject(new SessionError('STORE_UNAVAILABLE', 'No channel')),
    }));
    const { events } = await store.create();
    const failed = calls.next('watch');
    const next = events.tail().next();

    expect(await failed).toMatchObject({ outcome: 'error', code: 'STORE_UNAVAILABLE' });
    await calls.next('readHeads');
    await events.append('s', 1);
    expect(message(await next)).toBe(1);
  });

  it('that were unavailable are requested again by the next tail', async () => {
    const answers = [
      () => Promise.reject(new SessionError('STORE_UNAVAILABLE', 'No channel')),
      () => Promise.resolve(async () => {}),
    ];
    const { store, calls } = await open({}, () => ({ watch: () => answers.shift()?.() ?? expect.fail() }));
    const { events } = await store.create();
    await events.append('s', 1);

    const failed = calls.next('watch', 'error');
    await events.tail().next();
    await failed;
    await nextTurn();
    for (let n = 0; n < 3; n++) await events.tail().next();
    expect(answers).toHaveLength(0);
  });
});

describe('a tail that its reader leaves early', () => {
  it('and a tail that waits repeatedly leaves no listeners on its signal', async () => {
    const { signal } = new AbortController();
    const { store, calls } = await open();
    const { events } = await store.create();
    const tail = events.tail({ signal });
    for (let n = 0; n < 20; n++) {
      const next = tail.next();
      if (n === 0) await calls.next('readEvents');
      await events.append('s', n);
      expect(message(await next)).toBe(n);
    }

    await tail.return();

    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('ends at once while it waits for an event, together with its other calls', async () => {
    const inner = createMemoryBackend();
    const capabilities = { ...inner.capabilities, poll: { minMs: 3_600_000, maxMs: 3_600_000 } };
    const { events } = await (await open({ backend: intercept(inner, { capabilities }) })).store.create();
    await events.append('s', 1);
    // No event comes, and no poll is due for an hour.
    const tail = events.tail();
    await tail.next();
    const waiting = tail.next();
    await new Promise((done) => setImmediate(done));

    expect(await tail.return()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await tail.next()).toEqual({ done: true, value: undefined });
    const failing = events.tail();
    await failing.next();
    const awaited = failing.next();
    await expect(failing.throw(new Error('enough'))).rejects.toThrow('enough');
    expect(await awaited).toEqual({ done: true, value: undefined });
  });

  it('is not woken any more', async () => {
    const register = vi.spyOn(WakeUps.prototype, 'register');
    onTestFinished(() => register.mockRestore());
    const { events } = await (await open()).store.create();
    await events.append('s', 1);

    let dispose: MockInstance | undefined;
    for await (const { seq } of events.tail()) {
      dispose = vi.spyOn(register.mock.results[0]?.value as WakeUp, 'dispose');
      if (seq === 1) break;
    }

    expect(dispose).toHaveBeenCalledOnce();
  });

  it('is forgotten, and its siblings are not', async () => {
    const backend = createMemoryBackend();
    const poll = { minMs: NEVER_MS, maxMs: NEVER_MS };
    const capabilities = { ...backend.capabilities, poll };
    const wakeUps = new WakeUps(intercept(backend, { capabilities }), () => START);
    const [left, stays] = [wakeUps.register('a'), wakeUps.register('a')];

    left.dispose();
    const waiting = stays.wait(0, undefined);
    wakeUps.appended('a', 1);
    await waiting;
    stays.dispose();
    // A new tail of a session that nobody follows any more knows nothing of what came before.
    const anew = wakeUps.register('a');
    let woken = false;
    const wait = anew.wait(0, undefined).then(() => (woken = true));
    await new Promise((done) => setImmediate(done));
    expect(woken).toBe(false);
    await wakeUps.close();
    await wait;
    expect(woken).toBe(true);
  });
});
