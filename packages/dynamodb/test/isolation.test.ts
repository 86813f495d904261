import type { SessionEvent, SessionStore } from '@mcp-session/core';
import { createSessionStore } from '@mcp-session/core/backend';
import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openBehindProxy } from './support/open.ts';
import { ReadCommitted } from './support/read-committed.ts';
import { optionsOf } from './support/storage.ts';

const NOW = 1_800_000_000_000;
const NO_BOUND = {
  maxEvents: undefined,
  maxBytes: undefined,
  createdBefore: undefined,
  limit: 100,
};

/**
 * A store and others on the same tables, as other processes would have them, on no more isolation
 * than DynamoDB promises.
 */
async function openStores(seed: number, count: number): Promise<readonly SessionStore[]> {
  const { proxy, open, through } = await openBehindProxy();
  const double = new ReadCommitted(seed, { mostMs: 20, share: 1 });
  proxy.intercept = double.intercept;
  const first = await createSessionStore(await open(), { sweep: false });
  const others = await Promise.all(
    Array.from({ length: count - 1 }, () => createDynamoDbStore({ ...optionsOf(through), sweep: false })),
  );
  const stores = [first, ...others];
  onTestFinished(async () => {
    await Promise.all(stores.map((store) => store.close()));
  });
  return stores;
}

/** Appends from several stores at once, several events in a request, while a reader follows. */
async function follow(seed: number, streamId: string | undefined, bytes: number, rounds: number) {
  const [reader, ...writers] = await openStores(seed, 3);
  const session = await reader?.create();
  if (session === undefined) throw new Error('No session');
  let appended = 0;
  const writing = Promise.all(
    writers.map(async (store, writer) => {
      const own = await store.get(session.id);
      if (own === undefined) throw new Error('The session is not there');
      for (let round = 0; round < rounds; round++) {
        const streams = ['a', 'b', 'a', 'b'].slice(0, 1 + ((round + writer) % 4));
        const ids = await Promise.all(
          streams.map((stream, n) => own.events.append(stream, { writer, round, n, text: 'x'.repeat(bytes) })),
        );
        appended += ids.length;
      }
      await own.events.append(streamId ?? 'a', { last: writer });
    }),
  );
  const seen: SessionEvent[] = [];
  let last = 0;
  for await (const event of session.events.tail({ streamId })) {
    seen.push(event);
    if (typeof event.message === 'object' && event.message !== null && 'last' in event.message) last++;
    if (last === writers.length) break;
  }
  await writing;
  const replayed: SessionEvent[] = [];
  for await (const event of session.events.replay({ streamId })) replayed.push(event);
  return { appended, seen, replayed };
}

describe.each([1, 2])('with seed %i', (seed) => {
  it('a tail of the log receives each event once, in order', { timeout: 60_000 }, async () => {
    const { appended, seen, replayed } = await follow(seed, undefined, 10, 8);
    expect(seen.map(({ seq }) => seq)).toEqual(replayed.map(({ seq }) => seq));
    expect(replayed.map(({ seq }) => seq)).toEqual(Array.from({ length: appended + 2 }, (_, index) => index + 1));
  });

  it('a tail of a stream receives each event once, in order', { timeout: 60_000 }, async () => {
    const { seen, replayed } = await follow(seed, 'a', 10, 8);
    expect(seen.map(({ seq }) => seq)).toEqual(replayed.map(({ seq }) => seq));
  });

  it('parts of an event are of that event', { timeout: 60_000 }, async () => {
    const { seen, replayed } = await follow(seed, seed % 2 === 0 ? 'a' : undefined, 400_000, 2);
    expect(seen).toEqual(replayed);
  });

  it('a page beside a trim has every event above its horizon', { timeout: 60_000 }, async () => {
    const { proxy, open } = await openBehindProxy();
    const [reader, trimmer] = await Promise.all([open(), open()]);
    const session = { id: 's', kind: 'session', principal: null, profile: '{}', expiresAt: NOW + 1 };
    await reader.createSession(session, NOW);
    const events = Array.from({ length: 60 }, (_, n) => ({
      streamId: n % 2 === 0 ? 'a' : 'b',
      message: '1',
      bytes: 1,
    }));
    await reader.appendEvents([{ sessionId: 's', token: 't', events, expiresAt: undefined }], NOW);
    proxy.intercept = new ReadCommitted(seed, { mostMs: 20, share: 1 }).intercept;
    let trims = 0;
    const trimming = (async () => {
      for (let throughSeq = 3; throughSeq < 40; throughSeq += 3, trims++) {
        await trimmer.trimEvents('s', { ...NO_BOUND, throughSeq }, NOW);
      }
    })();
    while (trims < 12) {
      const page = await reader.readEvents(
        { sessionId: 's', streamId: 'a', afterSeq: 0, limit: 99, maxBytes: 99 },
        NOW,
      );
      const { trimmedSeq = 0, events: found = [] } = page ?? {};
      const kept = events.flatMap(({ streamId }, n) => (streamId === 'a' && n + 1 > trimmedSeq ? [n + 1] : []));
      // More than that is there while only a part of the trim can be seen.
      expect(found.map(({ seq }) => seq)).toEqual(expect.arrayContaining(kept));
    }
    await trimming;
  });
});
