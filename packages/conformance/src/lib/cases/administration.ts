import { createSessionStore, type SchemaVersion, type SessionBackend } from '@mcp-session/core/backend';
import type { SessionStore } from '@mcp-session/core';
import { append, commit, HOUR, newSession, NOW, write } from '../actions.ts';
import { sharedCase, unmigratedCase, type Case } from '../case.ts';
import { holds, present, same, show } from '../findings.ts';
import { settled } from '../settled.ts';
import { sessionRow } from './rows.ts';

/** Almost the whole life of a session later: each read would touch a session of another handle. */
const LATER = NOW + HOUR - 1_000;

async function laterStoreOn(backend: SessionBackend): Promise<SessionStore> {
  return createSessionStore(backend, { sweep: false, ttlMs: HOUR, touchIntervalMs: 1, clock: () => LATER });
}

/** The version without what else a backend says about it. */
async function versionOf(backend: SessionBackend): Promise<SchemaVersion | undefined> {
  const version = await backend.readSchemaVersion?.();
  return version && { present: version.present, needed: version.needed };
}

export const administrationCases: readonly Case[] = [
  unmigratedCase('lifecycle.version', 'before and after migrating', async (t) => {
    const { backend } = t;
    const before = await backend.readSchemaVersion?.();
    if (before === undefined) return;
    const { needed } = before;
    for (const [name, value, least] of [
      ['present', before.present, 0],
      ['needed', needed, 1],
    ] as const) {
      holds(
        Number.isSafeInteger(value) && value >= least,
        `${name} is ${show(value)}, not a whole number of ${least} or more`,
      );
    }
    same(await versionOf(backend), { present: before.present, needed }, 'a second readSchemaVersion before migrate');
    // Storage may come with its tables. Without them, no call succeeds.
    const works = await backend.createSession(newSession(t.id()), NOW).then(
      () => true,
      () => false,
    );
    holds(works || before.present < needed, 'the version that is needed is present, though createSession fails');
    await backend.migrate();
    same(await versionOf(backend), { present: needed, needed }, 'readSchemaVersion after migrate');
  }),

  sharedCase('store.inspect', 'by id and in a listing', async (t) => {
    const { kind } = t;
    const id = await t.createLive({ kind, principal: 'alice' });
    await commit(t.backend, id, [write('k', '1')]);
    await append(t.backend, id, 's', ['1', '2']);
    const before = sessionRow(await t.backend.readSession(id, NOW));
    const store = await laterStoreOn(t.backend);
    const find = async () => (await store.list({ kind, principal: 'alice' })).sessions.find((each) => each.id === id);
    await settled(t.listLagMs, true, 'whether a listing shows the session', async () => (await find()) !== undefined);
    const inspected = present(await store.inspect(id), 'inspect of a live session of another kind and principal');
    const found = present(await find(), 'the session in a listing');
    same(found.counts, { events: 2, stateKeys: 1 }, 'counts of a session in a listing');
    for (const session of [inspected, found]) {
      same([...(await session.state.snapshot()).keys()], ['k'], 'keys of a snapshot');
      same(await session.state.get('k'), 1, 'a value that an administrator reads');
      same((await session.events.recent()).length, 2, 'events that an administrator reads');
      same(
        (await session.events.page({ afterSeq: 1 })).events.map(({ seq }) => seq),
        [2],
        'numbers of a page',
      );
      for await (const event of session.events.replay()) holds(event.seq < 3, 'a replay gave too much');
    }
    await store.count({ kind });
    same(sessionRow(await t.backend.readSession(id, LATER)), before, 'row of a session that was looked at');
    same(await store.inspect(t.id('unknown')), undefined, 'inspect of an unknown id');
  }),

  sharedCase('store.end-all', 'of one principal, over pages', async (t) => {
    const { kind } = t;
    const make = (principal: string | null) => t.createLive({ id: t.id(), kind, principal });
    const mine = await Promise.all(Array.from({ length: 101 }, () => make('alice')));
    const others = [await make('bob'), await make(null), await t.createLive({ kind: `${kind}2`, principal: 'alice' })];
    const store = await createSessionStore(t.backend, { sweep: false, clock: () => NOW });
    const principal = 'alice';
    await settled(t.listLagMs, 101, 'sessions of alice', () => store.count({ kind, principal }));
    same(await store.endAll({ kind, principal }), 101, 'number of sessions that endAll has ended');
    for (const id of [mine[0] ?? '', mine[100] ?? '']) {
      same(await store.inspect(id), undefined, 'inspect of a session of alice after endAll');
    }
    for (const id of others) same((await store.inspect(id))?.id, id, 'inspect of a session of somebody else');
    same(await store.endAll({ kind, principal }), 0, 'number of sessions that a second endAll has ended');
  }),
];
