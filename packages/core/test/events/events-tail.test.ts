import type { SessionEvent } from '@mcp-session/core';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { describe, expect, it } from 'vitest';
import { codeOf, collect } from '../support/errors.ts';
import type { Overrides } from '../support/intercept.ts';
import { open } from '../support/open.ts';

/** Polls often, as a backend that is shared would. */
const quick = (inner: ReturnType<typeof createMemoryBackend>): Overrides => ({
  capabilities: { ...inner.capabilities, poll: { minMs: 1, maxMs: 5 } },
});

async function take(events: AsyncIterable<SessionEvent>, count: number): Promise<unknown[]> {
  const messages: unknown[] = [];
  for await (const { message } of events) if (messages.push(message) === count) break;
  return messages;
}

describe('events.tail', () => {
  it('yields the stored events and then each appended one, with no gap and nothing twice', async () => {
    const { events } = await (await open()).store.create();
    for (let n = 0; n < 1_250; n++) await events.append('s', n);

    const tail = take(events.tail(), 2_250);
    const writers = Array.from({ length: 10 }, async () => {
      for (let n = 0; n < 100; n++) await events.append('s', 'live');
    });
    await Promise.all(writers);

    expect(await tail).toEqual([...Array.from({ length: 1_250 }, (_, n) => n), ...Array<string>(1_000).fill('live')]);
  });

  it('numbers every event once while others append, read, and begin to tail', async () => {
    const { events } = await (await open()).store.create();
    const tails: Promise<number[]>[] = [];
    const seqs = async (after: string | undefined): Promise<number[]> => {
      const all: number[] = [];
      for await (const { seq } of events.tail({ after })) if (all.push(seq) > 0 && seq === 300) break;
      return all;
    };

    for (let n = 1; n <= 300; n++) {
      const id = await events.append(n % 2 === 0 ? 'a' : 'b', n);
      if (n % 50 === 0) tails.push(seqs(undefined));
      if (n % 60 === 0 && n < 300) {
        tails.push(seqs(id).then((all) => [...Array.from({ length: n }, (_, at) => at + 1), ...all]));
      }
    }

    for (const all of await Promise.all(tails)) expect(all).toEqual(Array.from({ length: 300 }, (_, at) => at + 1));
  });

  it('yields what another process appends', async () => {
    const backend = createMemoryBackend();
    const here = await open({ backend }, quick);
    const there = await open({ backend }, quick);
    const { id, events } = await here.store.create();
    const other = (await there.store.get(id)) ?? expect.fail();

    const tail = take(events.tail(), 3);
    for (const n of [1, 2, 3]) {
      await here.calls.next('readHeads');
      await other.events.append('s', n);
    }

    expect(await tail).toEqual([1, 2, 3]);
  });

  it('yields one stream alone, after its cursor', async () => {
    const { events } = await (await open()).store.create();
    const after = await events.append('a', 0);
    await events.append('b', 1);
    const tail = take(events.tail({ after, streamId: 'a' }), 2);
    await events.append('a', 2);
    await events.append('b', 3);
    await events.append('a', 4);

    expect(await tail).toEqual([2, 4]);
  });

  it('begins at the oldest retained event if it has no cursor', async () => {
    const { events } = await (await open()).store.create();
    for (let n = 1; n <= 5; n++) await events.append('s', n);
    await events.trim({ maxEvents: 2 });

    expect(await take(events.tail(), 2)).toEqual([4, 5]);
    expect(await take(events.tail({ streamId: 's' }), 2)).toEqual([4, 5]);
  });

  it('lets the reader set the pace: reads no page before the last one is used up', async () => {
    const { store, calls } = await open();
    const { events } = await store.create();
    await Promise.all(Array.from({ length: 2_001 }, (_, n) => events.append('s', n)));
    calls.take();

    const tail = events.tail();
    for (let n = 0; n < 1_000; n++) await tail.next();
    expect(calls.count('readEvents')).toBe(1);
    await tail.next();
    expect(calls.count('readEvents')).toBe(1);
    await tail.return();
  });
});

describe('a tail ends', () => {
  it('when its signal is aborted: before, while it reads, while it waits', async () => {
    const { store, calls } = await open({}, quick);
    const { events } = await store.create();
    await events.append('s', 1);
    await events.append('s', 2);

    expect(await collect(events.tail({ signal: AbortSignal.abort() }))).toEqual([]);
    const reading = new AbortController();
    const seen: unknown[] = [];
    for await (const { message } of events.tail({ signal: reading.signal })) {
      seen.push(message);
      reading.abort();
    }
    expect(seen).toEqual([1]);
    const waiting = new AbortController();
    const tail = collect(events.tail({ signal: waiting.signal }));
    await calls.next('readHeads');
    waiting.abort();
    expect(await tail).toHaveLength(2);
  });

  it('when the session ends, here or in another process, even while the tail reads', async () => {
    const backend = createMemoryBackend();
    const here = await open({ backend }, quick);
    const there = await open({ backend }, quick);
    const [first, second, third] = [await here.store.create(), await here.store.create(), await here.store.create()];
    const tails = [collect(first.events.tail()), collect(second.events.tail())];
    await here.calls.next('readHeads');

    await first.end();
    expect(await tails[0]).toEqual([]);
    await (await there.store.get(second.id))?.end();
    expect(await tails[1]).toEqual([]);

    await third.events.append('s', 1);
    const reading = third.events.tail();
    await reading.next();
    await third.end();
    expect(await reading.next()).toEqual({ done: true, value: undefined });
    expect(await collect(third.events.tail())).toEqual([]);
  });

  it('at once when the session ends here, however seldom the backend is asked', async () => {
    const { store, calls } = await open({}, (inner) => ({
      capabilities: { ...inner.capabilities, poll: { minMs: 1_000_000, maxMs: 1_000_000 } },
    }));
    const session = await store.create();
    await session.events.append('s', 1);
    const tail = session.events.tail();
    await tail.next();
    calls.take();

    const next = tail.next();
    await session.end();

    expect((await next).done).toBe(true);
  });

  it('when the session expires, which nobody writes', async () => {
    const { store, clock, calls } = await open({ ttlMs: 1_000 }, quick);
    const { events } = await store.create();
    await events.append('s', 1);
    const tail = collect(events.tail());
    await calls.next('readHeads');

    clock.now += 1_000;

    expect(await tail).toHaveLength(1);
  });

  it('and does not renew the session while it waits', async () => {
    const { store, clock, calls } = await open({ ttlMs: 1_000, touchIntervalMs: 1 }, quick);
    const { events } = await store.create();
    const tail = collect(events.tail());
    await calls.next('readHeads');
    clock.now += 999;
    await calls.next('readHeads');
    await calls.next('readHeads');

    expect(calls.count('touchSession')).toBe(0);
    clock.now += 1;
    expect(await tail).toEqual([]);
  });

  it('with an error when it has fallen behind the retention', async () => {
    const { store } = await open({ retention: { maxEvents: 300 } });
    const { events } = await store.create();
    for (let n = 0; n < 250; n++) await events.append('s', n);

    const tail = events.tail();
    await tail.next();
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => events.append('s', n)));

    await expect(collect(tail)).rejects.toMatchObject({ name: 'EventsTrimmedError', code: 'EVENTS_TRIMMED' });
  });

  it('does not end with an error when only other streams were trimmed', async () => {
    const { store } = await open({ retention: { maxEvents: 10 } });
    const { events } = await store.create();
    const after = await events.append('quiet', 1);

    const tail = take(events.tail({ after, streamId: 'quiet' }), 1);
    for (let n = 0; n < 100; n++) await events.append('busy', n);
    await events.append('quiet', 2);

    expect(await tail).toEqual([2]);
  });

  it('with the error of the database if a retry is useless', async () => {
    let broken = false;
    const { store, calls } = await open({}, (inner) => ({
      ...quick(inner),
      readHeads: (ids, now) => (broken ? Promise.reject(new Error('table is gone')) : inner.readHeads(ids, now)),
    }));
    const { events } = await store.create();
    const tail = collect(events.tail());
    await calls.next('readHeads');
    broken = true;

    expect(await codeOf(() => tail)).toBe('STORE_FAILED');
  });
});
