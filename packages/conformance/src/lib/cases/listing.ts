import type { SessionQuery, SessionRow } from '@mcp-session/core/backend';
import { append, commit, HOUR, newSession, NOW, trim, write } from '../actions.ts';
import { sharedCase, type Case, type CaseContext } from '../case.ts';
import { same } from '../findings.ts';
import { settled } from '../settled.ts';
import { walkSessions } from '../walks.ts';
import { sessionRow } from './rows.ts';

/**
 * The ids of a listing, without the part that all ids of a case share. Reads again while a wrong
 * answer may be due to lag.
 */
async function listed(
  t: CaseContext,
  query: Omit<SessionQuery, 'kind'>,
  promised: readonly string[],
  what: string,
  options: Parameters<typeof walkSessions>[2] = {},
): Promise<void> {
  await settled(t.listLagMs, promised, what, async () => {
    const rows = await walkSessions(t.backend, { kind: t.kind, ...query }, options);
    return rows.map((row) => row.id);
  });
}

/** Creates sessions of the case's kind, many at a time. @returns Their ids in byte order. */
async function populate(
  t: CaseContext,
  count: number,
  given: (index: number) => Partial<SessionRow> = () => ({}),
): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => t.id(`n${String(index).padStart(5, '0')}`));
  for (let from = 0; from < count; from += 50) {
    const some = ids.slice(from, from + 50);
    const created = await Promise.all(
      some.map((id, index) => t.backend.createSession(newSession(id, { kind: t.kind, ...given(from + index) }), NOW)),
    );
    same(created.filter(Boolean).length, some.length, 'number of sessions created');
  }
  return ids;
}

export const listingCases: readonly Case[] = [
  sharedCase('sessions.list.filter', 'by kind, by principal, by none', async (t) => {
    const make = (label: string, kind: string, principal: string | null) =>
      t.createLive({ id: t.id(label), kind, principal });
    const anonymous = await make('a', t.kind, null);
    const alice = [await make('b', t.kind, 'alice'), await make('c', t.kind, 'alice')];
    const capital = await make('d', t.kind, 'Alice');
    const empty = await make('e', t.kind, '');
    const longer = await make('f', t.kind, 'alice2');
    await make('g', `${t.kind}2`, 'alice');
    await listed(
      t,
      { principal: undefined },
      [anonymous, ...alice, capital, empty, longer],
      'sessions listed of any principal',
    );
    await listed(t, { principal: null }, [anonymous], 'sessions listed without a principal');
    await listed(t, { principal: 'alice' }, alice, 'sessions listed of the principal alice');
    await listed(t, { principal: 'Alice' }, [capital], 'sessions listed of the principal Alice');
    await listed(t, { principal: '' }, [empty], 'sessions listed of the principal that is the empty text');
    await listed(t, { principal: 'bob' }, [], 'sessions listed of a principal who has none');
  }),

  sharedCase('sessions.list.filter', 'rows are those that readSession gives', async (t) => {
    const id = await t.createLive({ kind: t.kind, principal: 'alice', profile: '{"a":1}' });
    await append(t.backend, id, 's', ['1', '2']);
    await t.backend.touchSession(id, NOW + 2 * HOUR, NOW + 10);
    const row = sessionRow(await t.backend.readSession(id, NOW));
    await settled(t.listLagMs, [row], 'row of a listing', async () => {
      const rows = await walkSessions(t.backend, { kind: t.kind, principal: 'alice' });
      return rows.map(sessionRow);
    });
  }),

  sharedCase('sessions.list.counts', 'after appends, trims, commits, removals and a clear', async (t) => {
    const id = await t.createLive({ kind: t.kind });
    const counted = async (events: number, stateKeys: number, what: string) =>
      settled(t.listLagMs, [{ events, stateKeys }], `counts of a session ${what}`, async () => {
        const rows = await walkSessions(t.backend, { kind: t.kind, principal: undefined });
        return rows.map(({ counts }) => ({ events: counts.events, stateKeys: counts.stateKeys }));
      });
    await counted(0, 0, 'without events and keys');
    await append(t.backend, id, 's', ['1', '2', '3']);
    await append(t.backend, id, 't', ['4']);
    await commit(t.backend, id, [write('a', '1'), write('b', '2'), write('c', '3')]);
    await commit(t.backend, id, [write('a', '4')]);
    await counted(4, 3, 'after appends and commits');
    await trim(t.backend, id, { maxEvents: 1 });
    await commit(t.backend, id, [write('b', undefined)]);
    await counted(1, 2, 'after a trim and a removal');
    await trim(t.backend, id, { maxEvents: 0 });
    await append(t.backend, id, 's', ['5']);
    await t.backend.clearState(id, undefined, NOW);
    await counted(1, 0, 'after a clear, a trim of all events, and an append');
  }),

  sharedCase('sessions.list.order', 'byte order, from anywhere', async (t) => {
    const labels = ['!', '0', '10', '2', 'A', 'Z', '_', 'a', 'aB', 'ab', 'b', '~'];
    const ids: string[] = [];
    for (const label of labels) ids.push(t.id(label));
    for (const id of ids.toReversed()) await t.createLive({ id, kind: t.kind });
    await listed(t, { principal: undefined }, ids, 'order of a listing');
    await listed(t, { principal: undefined }, ids, 'order of a listing one by one', { limit: 1 });
    await listed(t, { principal: undefined }, ids.slice(5), 'listing after an id', { afterId: t.id('A') });
    await listed(t, { principal: undefined }, ids.slice(4), 'listing after an id that does not exist', {
      afterId: t.id('3'),
    });
    await listed(t, { principal: undefined }, [], 'listing after the last id', { afterId: t.id('~') });
  }),

  sharedCase('sessions.list.pages', 'complete over more than a thousand rows of 2 kB', async (t) => {
    const profile = JSON.stringify('x'.repeat(2_000));
    const ids = await populate(t, 1_100, (index) => ({ profile, principal: index % 2 === 0 ? 'even' : 'odd' }));
    const even = ids.filter((_, index) => index % 2 === 0);
    await listed(t, { principal: undefined }, ids, 'all sessions, by pages of 100');
    await listed(t, { principal: undefined }, ids, 'all sessions, by pages of 5,000', { limit: 5_000 });
    await listed(t, { principal: 'even' }, even, 'sessions of one principal, by pages of 7', { limit: 7 });
  }),

  sharedCase('sessions.list.changes', 'a walk among creates and ends', async (t) => {
    const ids = await populate(t, 60);
    await listed(t, { principal: undefined }, ids, 'sessions before the walk');
    const [other = t.backend] = (await t.handles(2)).slice(1);
    const rows = await walkSessions(t.backend, { kind: t.kind, principal: undefined }, { limit: 10 }, async (page) => {
      const [passed, coming] = [ids[page * 10], ids[page * 10 + 15]];
      if (passed !== undefined) await other.endSession(passed, NOW + HOUR, NOW);
      if (coming !== undefined) await other.endSession(coming, NOW + HOUR, NOW);
      await t.createLive({ id: t.id(`n${String(page * 10 + 35).padStart(5, '0')}-new`), kind: t.kind });
    });
    const seen = rows.map((row) => row.id);
    same(new Set(seen).size, seen.length, 'number of different ids in a walk, of as many rows');
    const ended = new Set([...range10(0), ...range10(15)].map((index) => ids[index]));
    const lasting = ids.filter((id) => !ended.has(id));
    same(
      lasting.filter((id) => seen.includes(id)),
      lasting,
      'sessions that were live all the while, as the walk showed them',
    );
  }),

  sharedCase('sessions.list.live', 'neither expired nor ended', async (t) => {
    const [live, expiring, ended] = [t.id('a'), t.id('b'), t.id('c')];
    await t.createLive({ id: live, kind: t.kind, principal: 'p' });
    await t.createLive({ id: expiring, kind: t.kind, principal: 'p', expiresAt: NOW + 1_000 });
    await t.createLive({ id: ended, kind: t.kind, principal: 'p' });
    await t.backend.endSession(ended, NOW + HOUR, NOW);
    for (const principal of [undefined, 'p']) {
      await listed(t, { principal }, [live, expiring], 'sessions listed one millisecond before one expires', {
        now: NOW + 999,
      });
      await listed(t, { principal }, [live], 'sessions listed when one has expired', { now: NOW + 1_000 });
    }
  }),

  sharedCase('sessions.count.exact', 'more rows than a page of the database holds', async (t) => {
    await populate(t, 300, () => ({ profile: JSON.stringify('x'.repeat(5_000)) }));
    const query = { kind: t.kind, principal: undefined };
    await settled(t.listLagMs, 300, 'countSessions of 300', () => t.backend.countSessions(query, NOW));
  }),

  sharedCase('sessions.count.exact', 'the live ones of the kind and principal', async (t) => {
    const ids = await populate(t, 30, (index) => ({
      principal: [null, 'a', 'b'][index % 3] ?? null,
      expiresAt: index < 6 ? NOW + 1_000 : NOW + HOUR,
    }));
    await t.backend.endSession(ids[29] ?? '', NOW + HOUR, NOW);
    await t.createLive({ kind: `${t.kind}2` });
    const count = async (principal: string | null | undefined, now: number, promised: number) => {
      const what = `countSessions of ${principal === undefined ? 'any principal' : JSON.stringify(principal)}`;
      await settled(t.listLagMs, promised, what, () => t.backend.countSessions({ kind: t.kind, principal }, now));
    };
    await count(undefined, NOW, 29);
    await count(null, NOW, 10);
    await count('a', NOW, 10);
    await count('b', NOW, 9);
    await count('c', NOW, 0);
    await count(undefined, NOW + 1_000, 23);
    await count('a', NOW + 1_000, 8);
  }),

  sharedCase('sessions.count.kinds', 'the live ones of each kind', async (t) => {
    const other = `${t.kind}2`;
    const ids = await populate(t, 12, (index) => ({ expiresAt: index < 4 ? NOW + 1_000 : NOW + HOUR }));
    await t.createLive({ kind: other, principal: 'a', expiresAt: NOW + 1_000 });
    await t.backend.endSession(ids[11] ?? '', NOW + HOUR, NOW);
    const count = async (now: number, promised: readonly (number | undefined)[]) =>
      settled(t.listLagMs, promised, 'countKinds of both kinds', async () => {
        const kinds = await t.backend.countKinds(now);
        return [kinds.get(t.kind), kinds.get(other)];
      });
    await count(NOW, [11, 1]);
    await count(NOW + 1_000, [7, undefined]);
  }),
];

function range10(from: number): number[] {
  return Array.from({ length: 5 }, (_, page) => from + page * 10);
}
