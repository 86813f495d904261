import type { Session, SessionEvent, SessionStore } from '@mcp-session/core';
import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { createEventStore } from '@mcp-session/core/event-store';
import { NOW, range } from '../actions.ts';
import { sharedCase, type Case } from '../case.ts';
import { holds, present, rejects, same } from '../findings.ts';

/** A store on a shared backend. It is never closed, because that would close the backend. */
export async function storeOn(backend: SessionBackend): Promise<SessionStore> {
  return createSessionStore(backend, { sweep: false, clock: () => NOW });
}

export async function openSession(store: SessionStore, id: string): Promise<Session> {
  return present(await store.get(id), 'get of a live session');
}

async function collect(events: AsyncIterable<SessionEvent>): Promise<SessionEvent[]> {
  const all: SessionEvent[] = [];
  for await (const each of events) all.push(each);
  return all;
}

const values: readonly unknown[] = [
  null,
  true,
  0,
  -1.5,
  1e300,
  '',
  '\u0000',
  '\ud800',
  '\u{1F600}\u2028',
  [],
  {},
  [null, [1]],
  { b: 1, a: { '': [] } },
  JSON.parse('{"__proto__":1}'),
  'x'.repeat(100_000),
];

export const storeCases: readonly Case[] = [
  sharedCase('store.update.increments', 'two handles and two processes', async (t) => {
    const id = await t.createLive();
    const command = { do: 'increment', sessionId: id, key: 'n', count: 25, now: NOW } as const;
    const sessions = await Promise.all(
      (await t.handles(2)).map(async (backend) => openSession(await storeOn(backend), id)),
    );
    const own = sessions.flatMap((session) =>
      range(1, 25).map(() => session.state.update('n', (n: unknown) => (typeof n === 'number' ? n : 0) + 1)),
    );
    await Promise.all([...own, ...(await t.peers(2)).map((peer) => peer.run(command))]);
    same(await sessions[0]?.state.get('n'), 100, 'a number that 4 writers incremented 25 times each at the same time');
  }),

  sharedCase('store.replay.complete', 'over many pages, with the ids of append', async (t) => {
    const session = await openSession(await storeOn(t.backend), await t.createLive());
    const ids = await Promise.all(range(1, 1_500).map((n) => session.events.append(n % 3 === 0 ? 'third' : 's', n)));
    const third = ids.filter((_, index) => index % 3 === 2);
    same(
      (await collect(session.events.replay())).map((each) => each.id),
      ids,
      'ids of a replay of the whole log',
    );
    const rest = await collect(session.events.replay({ streamId: 'third', after: third[9] }));
    same(
      rest.map((each) => each.id),
      third.slice(10),
      'ids of a replay of a stream after its tenth event',
    );
    same(
      rest.map((each) => each.message),
      range(11, 500).map((n) => n * 3),
      'messages of that replay',
    );
    same(
      (await session.events.recent(10)).map((each) => each.id),
      ids.slice(-10),
      'ids of the 10 newest events',
    );
  }),

  sharedCase('store.replay.trimmed', 'an error instead of a part', async (t) => {
    const session = await openSession(await storeOn(t.backend), await t.createLive());
    const quiet = await session.events.append('quiet', 1);
    const ids = await Promise.all(range(1, 20).map((n) => session.events.append('busy', n)));
    const last = await session.events.append('quiet', 2);
    await session.events.trim({ maxEvents: 5 });
    for (const after of [ids[0], ids[14]]) {
      const seen: unknown[] = [];
      const replay = async () => {
        for await (const each of session.events.replay({ streamId: 'busy', after })) seen.push(each.seq);
      };
      await rejects(replay, 'EVENTS_TRIMMED', 'replay after a cursor behind which events were trimmed');
      same(seen, [], 'events that a replay gave before it failed');
    }
    const kept = await collect(session.events.replay({ streamId: 'busy', after: ids[15] }));
    same(
      kept.map((each) => each.id),
      ids.slice(16),
      'ids of a replay after the last event that was trimmed',
    );
    const other = await collect(session.events.replay({ streamId: 'quiet', after: quiet }));
    same(
      other.map((each) => each.id),
      [last],
      'ids of a replay of a quiet stream, after its event that was trimmed',
    );
  }),

  sharedCase('store.cursor.foreign', 'of another session, another stream, the future', async (t) => {
    const store = await storeOn(t.backend);
    const [mine, other] = [
      await openSession(store, await t.createLive()),
      await openSession(store, await t.createLive()),
    ];
    const own = await mine.events.append('a', 1);
    const foreign = await other.events.append('a', 'secret');
    await other.events.append('a', 'secret');
    const future = own.replace(/^1\./, '2.');
    for (const [after, what] of [
      [foreign, 'of another session'],
      [future, 'from the future'],
      ['1', 'that is malformed'],
      ['', 'that is empty'],
    ] as const) {
      await rejects(() => collect(mine.events.replay({ after })), 'INVALID_CURSOR', `replay after a cursor ${what}`);
      await rejects(() => collect(mine.events.tail({ after })), 'INVALID_CURSOR', `tail after a cursor ${what}`);
    }
    await mine.events.append('b', 2);
    await rejects(
      () => collect(mine.events.replay({ after: own, streamId: 'b' })),
      'INVALID_CURSOR',
      'replay of a stream after a cursor of another',
    );
    const forged = own.replace(/a$/, 'b');
    await rejects(
      () => collect(mine.events.replay({ after: forged })),
      'INVALID_CURSOR',
      'replay after a cursor whose stream was changed',
    );
  }),

  sharedCase('store.principal', 'unknown to everybody else', async (t) => {
    const store = await storeOn(t.backend);
    const { kind } = t;
    const id = await t.createLive({ kind, principal: 'alice' });
    const open = await t.createLive({ kind });
    same((await store.get(id, { kind, principal: 'alice' }))?.id, id, 'get by the principal of the session');
    for (const principal of ['Alice', 'alice ', 'bob', null]) {
      const who = JSON.stringify(principal);
      same(await store.get(id, { kind, principal }), undefined, `get by the principal ${who} of a session of "alice"`);
      const others = (await store.list({ kind, principal })).sessions.map((session) => session.id);
      holds(!others.includes(id), `a listing for the principal ${who} shows a session of "alice"`);
    }
    same((await store.get(open, { kind, principal: 'bob' }))?.id, open, 'get of a session without a principal');
    same(await store.get(id, { principal: 'alice' }), undefined, 'get of a session of another kind');
  }),

  sharedCase('store.values', 'through state and events', async (t) => {
    const [first = t.backend, second = t.backend] = await t.handles(2);
    const id = await t.createLive();
    const [writer, reader] = [
      await openSession(await storeOn(first), id),
      await openSession(await storeOn(second), id),
    ];
    for (const value of values) {
      const promised: unknown = JSON.parse(JSON.stringify(value));
      await writer.state.set('k', value);
      same(await reader.state.get('k'), promised, 'a value of state');
      await writer.events.append('s', value);
      same((await reader.events.recent(1))[0]?.message, promised, 'a message');
    }
  }),

  sharedCase('store.event-store', 'for a transport of either SDK', async (t) => {
    const store = await storeOn(t.backend);
    const [mine, other] = [
      await openSession(store, await t.createLive()),
      await openSession(store, await t.createLive()),
    ];
    const [own, foreign] = [createEventStore<unknown>(mine), createEventStore<unknown>(other)];
    const primed = await own.storeEvent('_GET_stream', {});
    const secret = await foreign.storeEvent('_GET_stream', { secret: true });
    const ids = [
      await own.storeEvent('_GET_stream', { n: 1 }),
      await own.storeEvent('post', { n: 2 }),
      await own.storeEvent('_GET_stream', { n: 3 }),
    ];
    const sent: unknown[] = [];
    const send = async (eventId: string, message: unknown) => {
      sent.push([eventId, message]);
    };
    same(await own.replayEventsAfter(primed, { send }), '_GET_stream', 'stream of a replay');
    same(
      sent,
      [
        [ids[0], { n: 1 }],
        [ids[2], { n: 3 }],
      ],
      'events that a replay sent',
    );
    same(await own.getStreamIdForEventId(secret), undefined, 'stream of an event of another session');
    sent.length = 0;
    await rejects(
      () => own.replayEventsAfter(secret, { send }),
      'INVALID_CURSOR',
      'replay after an event of another session',
    );
    holds(sent.length === 0, 'a replay after an event of another session sent events');
  }),
];
