import { SessionError, type SessionEvent } from '@mcp-session/core';
import type { SessionBackend } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Overrides } from '../support/intercept.ts';
import { open } from '../support/open.ts';

const message = ({ value }: IteratorResult<SessionEvent, void>): unknown => value?.message;

/** A change marker that the test moves, polled each millisecond. */
class Marker {
  value = 0;

  readonly over = (inner: SessionBackend): Overrides => ({
    capabilities: { ...inner.capabilities, poll: { minMs: 1, maxMs: 1 } },
    readChangeMarker: () => this.value,
  });
}

/** Timers of which only the test is in charge. */
function ownTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
}

describe('a change marker', () => {
  it('skips the poll if nothing has changed, and finds what another process wrote', async () => {
    ownTimers();
    const backend = createMemoryBackend();
    const marker = new Marker();
    const here = await open({ backend }, marker.over);
    const there = await open({ backend });
    const { id, events } = await here.store.create();
    const other = (await there.store.get(id)) ?? expect.fail();
    const next = events.tail().next();
    await vi.advanceTimersByTimeAsync(12);
    expect(here.calls.count('readHeads')).toBe(1);

    await other.events.append('s', 1);
    marker.value++;
    await vi.advanceTimersByTimeAsync(5);

    expect(message(await next)).toBe(1);
  });

  it('also tells tails that were reading when it changed', async () => {
    ownTimers();
    const backend = createMemoryBackend();
    const marker = new Marker();
    const here = await open({ backend }, marker.over);
    const there = await open({ backend });
    const [slow, waiting] = [await here.store.create(), await here.store.create()];
    const other = (await there.store.get(slow.id)) ?? expect.fail();
    await slow.events.append('s', 1);
    const tail = slow.events.tail();
    await tail.next();
    const idle = waiting.events.tail().next();
    await vi.advanceTimersByTimeAsync(5);

    // The change is seen by a poll for the other session, while this one's reader has not asked for
    // more.
    await other.events.append('s', 2);
    marker.value++;
    await vi.advanceTimersByTimeAsync(5);
    here.calls.take();

    expect(message(await tail.next())).toBe(2);
    // Not the look for expired sessions that would have found it a second later.
    expect(here.calls.take()).toEqual(['readEvents']);
    await waiting.events.append('s', 1);
    await idle;
  });

  it('is read again after a failed poll', async () => {
    ownTimers();
    const marker = new Marker();
    let failing = false;
    const { store, backend, clock, calls } = await open({}, (inner) => ({
      ...marker.over(inner),
      readHeads: (ids, now) =>
        failing
          ? Promise.reject(new SessionError('STORE_BUSY', 'Locked', { retryable: true }))
          : inner.readHeads(ids, now),
    }));
    const { id, events } = await store.create();
    const next = events.tail().next();
    await vi.advanceTimersByTimeAsync(5);
    const event = { streamId: 's', message: '1', bytes: 1 };
    await backend.appendEvents(
      [{ sessionId: id, token: 't'.repeat(22), events: [event], expiresAt: undefined }],
      clock.now,
    );
    marker.value++;
    failing = true;
    await vi.advanceTimersByTimeAsync(5);
    expect(calls.count('readHeads')).toBeGreaterThan(1);
    failing = false;
    await vi.advanceTimersByTimeAsync(5);

    expect(message(await next)).toBe(1);
    expect(calls.take()).toContain('readEvents');
  });

  it('that fails is an error of the store', async () => {
    const { store } = await open({}, (inner) => ({
      capabilities: { ...inner.capabilities, poll: { minMs: 1, maxMs: 1 } },
      readChangeMarker: () => {
        throw new TypeError('connection is not open');
      },
    }));
    const { events } = await store.create();

    await expect(events.tail().next()).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: 'memory failed in readChangeMarker',
      cause: new TypeError('connection is not open'),
    });
  });
});

describe('polling', () => {
  it('asks about all waiting sessions in one call, and about no others', async () => {
    const asked: string[][] = [];
    const { store, calls } = await open({}, (inner) => ({
      capabilities: { ...inner.capabilities, poll: { minMs: 1, maxMs: 1 } },
      readHeads: (ids, now) => {
        asked.push([...ids]);
        return inner.readHeads(ids, now);
      },
    }));
    const sessions = [await store.create(), await store.create(), await store.create()];
    const tails = sessions.map(({ events }) => events.tail());
    const waiting = tails.slice(0, 2).map((tail) => tail.next());
    const expected = new Set(sessions.slice(0, 2).map(({ id }) => id));
    // The first poll may come before the second one waits.
    await vi.waitFor(() => expect(new Set(asked.at(-1))).toEqual(expected), { timeout: 10_000 });
    for (const { events } of sessions) await events.append('s', 1);
    await Promise.all(waiting);
    asked.length = 0;
    await Promise.all(tails.map((tail) => tail.return()));
    const later = await store.create();
    const next = later.events.tail().next();
    await calls.next('readHeads');
    expect(asked).toEqual([[later.id]]);
    await later.events.append('s', 1);
    await next;
  });

  it('stops when nobody waits', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { store, calls } = await open();
    const { events } = await store.create();
    const next = events.tail().next();
    await vi.advanceTimersByTimeAsync(10);
    await events.append('s', 1);
    await next;

    await vi.advanceTimersByTimeAsync(10_000);

    expect(calls.count('readHeads')).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('goes on after a retryable error', async () => {
    let failures = 0;
    const { store, calls } = await open({}, (inner) => ({
      capabilities: { ...inner.capabilities, poll: { minMs: 1, maxMs: 2 } },
      readHeads: (ids, now) =>
        failures++ < 3
          ? Promise.reject(new SessionError('STORE_BUSY', 'Locked', { retryable: true }))
          : inner.readHeads(ids, now),
    }));
    const { events } = await store.create();
    const next = events.tail().next();
    await calls.next('readHeads', 'ok');
    await events.append('s', 1);

    expect(message(await next)).toBe(1);
  });
});
