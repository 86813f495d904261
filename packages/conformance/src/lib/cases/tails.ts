import type { SessionEvent } from '@mcp-session/core';
import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { append, fill, HOUR, NOW, range } from '../actions.ts';
import { sharedCase, type Case } from '../case.ts';
import { Finding, holds, same } from '../findings.ts';
import { openSession, storeOn } from './store.ts';

/** How often a tail may be late before it counts as never in time. */
const ATTEMPTS = 20;
/** After how many milliseconds it may not try again: a report must come before a test times out. */
const ATTEMPTS_MS = 60_000;

/** Fails if the work takes longer, so that a stuck tail is reported. */
async function within<T>(limitMs: number, work: Promise<T>, what: string): Promise<T> {
  const stop = new AbortController();
  try {
    const late = wait(limitMs, undefined, { signal: stop.signal }).then(() => {
      throw new Finding(`${what} within ${limitMs} ms`);
    });
    return await Promise.race([work, late]);
  } finally {
    stop.abort();
  }
}

/** Takes `count` events from a tail, then ends it. */
async function take(
  tail: AsyncIterable<SessionEvent>,
  count: number,
  seen: SessionEvent[] = [],
): Promise<SessionEvent[]> {
  for await (const each of tail) if (seen.push(each) >= count) break;
  return seen;
}

export const tailCases: readonly Case[] = [
  sharedCase('store.tail.handover', 'while writers append from everywhere', async (t) => {
    const id = await t.createLive();
    await fill(t.backend, id, 'old', 120);
    const [first = t.backend, second = t.backend] = await t.handles(2);
    const session = await openSession(await storeOn(first), id);
    const peers = await t.peers(2);
    const writers = Promise.all([
      ...peers.map((peer, index) =>
        peer.run({ do: 'append', sessionId: id, writer: `w${index}`, count: 60, now: NOW }),
      ),
      ...range(1, 60).map((n) => session.events.append('own', n)),
      (async () => {
        for (const n of range(1, 60)) await append(second, id, 'other', [String(n)]);
      })(),
    ]);
    const seen: SessionEvent[] = [];
    const all = take(session.events.tail(), 360, seen);
    await writers;
    try {
      await within(t.capabilities.poll.maxMs + 10_000, all, 'a tail did not deliver all that 4 writers appended');
    } finally {
      same(
        seen.map((each) => each.seq),
        range(1, 360),
        'numbers that a tail delivered of 120 stored and 240 appended events',
      );
    }
  }),

  sharedCase('store.tail.elsewhere', 'in the time of the longest poll', async (t) => {
    const id = await t.createLive();
    const [first = t.backend, second = t.backend] = await t.handles(2);
    const session = await openSession(await storeOn(first), id);
    const [peer] = await t.peers(1);
    const limitMs = t.capabilities.poll.maxMs + 100;
    const tail = session.events.tail({ streamId: 'w' })[Symbol.asyncIterator]();
    const times: number[] = [];
    // Test machines are busy, and core rests for longer after a slow poll. One of 20 in time shows
    // that the poll or the hint works.
    const end = performance.now() + ATTEMPTS_MS;
    while (times.length < ATTEMPTS && performance.now() < end && !times.some((ms) => ms <= limitMs)) {
      const next = tail.next();
      // The tail reads first, finds nothing, and waits.
      await wait(t.capabilities.poll.minMs);
      if (times.length % 2 === 0) await append(second, id, 'w', ['1']);
      else await peer?.run({ do: 'append', sessionId: id, writer: 'w', count: 1, now: NOW });
      const start = performance.now();
      await within(limitMs + 3_000, next, 'a tail did not deliver what was appended elsewhere');
      times.push(performance.now() - start);
    }
    await tail.return(undefined);
    holds(
      times.some((ms) => ms <= limitMs),
      `a tail delivered what was appended elsewhere after ${times.map(Math.round).join(', ')} ms, never within ${limitMs} ms`,
    );
  }),

  sharedCase('store.tail.end', 'however it ends', async (t) => {
    const [first = t.backend, second = t.backend] = await t.handles(2);
    const [peer] = await t.peers(1);
    const limitMs = t.capabilities.poll.maxMs + 3_000;
    const store = await storeOn(first);
    const ends: readonly (readonly [string, (id: string) => Promise<unknown>])[] = [
      ['its own handle', async (id) => (await openSession(store, id)).end()],
      ['another handle', (id) => second.endSession(id, NOW + HOUR, NOW)],
      ['another process', async (id) => peer?.call('endSession', id, NOW + HOUR, NOW)],
    ];
    await Promise.all(
      ends.map(async ([who, end]) => {
        const id = await t.createLive();
        const session = await openSession(store, id);
        await session.events.append('s', 1);
        const tail = session.events.tail()[Symbol.asyncIterator]();
        same((await tail.next()).done, false, 'whether a tail was over before its session was ended');
        const next = tail.next();
        await end(id);
        const result = await within(limitMs, next, `a tail did not end after ${who} ended its session`);
        same(result.done, true, `whether a tail is over after ${who} ended its session`);
      }),
    );
  }),
];
