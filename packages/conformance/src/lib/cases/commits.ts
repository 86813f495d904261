import type { StateLimits, StateWrite } from '@mcp-session/core/backend';
import { commit, NOW, range, readAll, track, UNLIMITED, write } from '../actions.ts';
import { sharedCase, type Case, type CaseContext } from '../case.ts';
import { holds, same } from '../findings.ts';
import { stateRow } from './rows.ts';

export const commitCases: readonly Case[] = [
  sharedCase('state.commit.parallel', '200 writers of 200 keys', async (t) => {
    const id = await t.createLive();
    const handles = await t.handles(4);
    const keys = range(1, 200).map((index) => `k${index}`);
    await Promise.all(keys.map((key, index) => commit(handles[index % 4] ?? t.backend, id, [write(key, `"${key}"`)])));
    const state = await readAll(t.backend, id);
    same(
      keys.filter((key) => state.get(key)?.value !== `"${key}"`),
      [],
      'keys that are missing or have the value of another after 200 parallel writes',
    );
    same(
      [...state.values()].map((row) => row.version).toSorted((a, b) => a - b),
      range(1, 200),
      'versions after 200 parallel writes',
    );
  }),

  sharedCase('state.commit.parallel', 'writers in other processes', async (t) => {
    const id = await t.createLive();
    const peers = await t.peers(2);
    const one = (key: string) => ({
      sessionId: id,
      writes: [write(key, '1')],
      limits: UNLIMITED,
      expiresAt: undefined,
    });
    await Promise.all(
      peers.flatMap((peer, index) => range(1, 25).map((n) => peer.call('commitState', one(`p${index}-${n}`), NOW))),
    );
    same((await readAll(t.backend, id)).size, 50, 'keys after 50 parallel writes of 50 keys from two processes');
  }),

  sharedCase('state.commit.atomic', 'one stale version refuses all', async (t) => {
    const id = await t.createLive();
    await commit(t.backend, id, [write('a', '1'), write('b', '1')]);
    const before = await readAll(t.backend, id);
    const result = await commit(t.backend, id, [
      write('a', '2'),
      write('new', '2'),
      write('b', '2', 9),
      write('a2', undefined),
    ]);
    same(result.status, 'conflict', 'commitState of several keys of which one has a stale version');
    same(await readAll(t.backend, id), before, 'state after a commit that was in conflict');
  }),

  sharedCase('state.commit.seen-whole', 'pairs always match', async (t) => {
    const id = await t.createLive();
    const keys = ['a', 'b', 'c'];
    const all = (value: string | undefined) => keys.map((key) => write(key, value));
    await commit(t.backend, id, all('0'));
    const [writer] = await t.peers(1);
    const change = async () => {
      for (let n = 1; n <= 60; n += 1) {
        const writes = all(n % 5 === 0 ? undefined : String(n));
        await writer?.call('commitState', { sessionId: id, writes, limits: UNLIMITED, expiresAt: undefined }, NOW);
      }
    };
    const writing = track(change());
    for (let n = 0; writing.running; n += 1) {
      const rows = (await t.backend.readState(id, n % 2 === 0 ? undefined : keys, NOW)) ?? [];
      const seen = rows.map((row) => `${row.value}@${row.version}`);
      holds(
        rows.length % 3 === 0 && new Set(seen).size <= 1,
        `readState saw a part of a commit of three keys: ${seen.join(', ')}`,
      );
      await new Promise(setImmediate);
    }
    await writing.result;
  }),

  sharedCase('state.commit.existed', 'in the order of the writes', async (t) => {
    const id = await t.createLive();
    await commit(t.backend, id, [write('b', '1'), write('d', '1')]);
    const mixed = [write('d', undefined), write('a', '1'), write('b', '2'), write('c', undefined)];
    same(
      await commit(t.backend, id, mixed),
      { status: 'committed', version: 2, existed: [true, false, true, false] },
      'commitState of old and new keys',
    );
    same([...(await readAll(t.backend, id)).keys()].toSorted(), ['a', 'b'], 'keys after that');
  }),

  sharedCase('state.versions.counter', 'one number a commit, for all its keys', async (t) => {
    const id = await t.createLive();
    const handles = await t.handles(2);
    for (let version = 1; version <= 6; version += 1) {
      const result = await commit(handles[version % 2] ?? t.backend, id, [write('a', '1'), write(`k${version}`, '1')]);
      same(result.status === 'committed' && result.version, version, 'version of a commit');
    }
    const state = await readAll(t.backend, id);
    same(
      range(1, 6).map((index) => state.get(`k${index}`)?.version),
      range(1, 6),
      'versions of keys that were written in turn',
    );
    same(state.get('a')?.version, 6, 'version of a key that every commit wrote');
    await commit(t.backend, id, [write('a', '2', 1)]);
    const next = await commit(t.backend, id, [write('a', '3')]);
    same(next.status === 'committed' && next.version, 7, 'version of the commit after one that was in conflict');
  }),

  sharedCase('state.versions.repeat-never', 'after removals and clears', async (t) => {
    const id = await t.createLive();
    const seen: number[] = [];
    const set = async () => {
      await commit(t.backend, id, [write('a', '1')]);
      seen.push((await readAll(t.backend, id)).get('a')?.version ?? 0);
    };
    await set();
    await commit(t.backend, id, [write('a', undefined)]);
    await set();
    await t.backend.clearState(id, undefined, NOW);
    await set();
    await commit(t.backend, id, [write('missing', undefined)]);
    await set();
    await t.backend.clearState(id, undefined, NOW);
    await t.backend.clearState(id, undefined, NOW);
    await set();
    same(seen, [1, 3, 5, 7, 10], 'versions of a key that was removed and cleared between writes');
  }),

  sharedCase('state.compare.stale', 'the conflict carries the key as it is', async (t) => {
    const id = await t.createLive();
    const [first = t.backend, second = t.backend] = await t.handles(2);
    await commit(first, id, [write('a', '1')]);
    same(
      (await commit(second, id, [write('a', '2', 1)])).status,
      'committed',
      'commitState that expects the present version',
    );
    for (const stale of [1, 3]) {
      same(
        await conflict(t, id, [write('a', '3', stale)]),
        ['a', { key: 'a', value: '2', version: 2 }],
        `conflict of version ${stale} with 2`,
      );
      same(
        await conflict(t, id, [write('a', undefined, stale)]),
        ['a', { key: 'a', value: '2', version: 2 }],
        'conflict of a removal',
      );
    }
    same(
      (await readAll(first, id)).get('a'),
      { key: 'a', value: '2', version: 2 },
      'key after commits that were in conflict',
    );
    same(
      (await commit(first, id, [write('a', undefined, 2)])).status,
      'committed',
      'removal that expects the present version',
    );
    same(await conflict(t, id, [write('a', '4', 2)]), ['a', undefined], 'conflict of a version that was removed');
  }),

  sharedCase('state.compare.absent', 'version 0', async (t) => {
    const id = await t.createLive();
    same(
      await conflict(t, id, [write('a', '1', 1)]),
      ['a', undefined],
      'conflict of version 1 with a key that does not exist',
    );
    same(
      (await commit(t.backend, id, [write('a', 'null', 0)])).status,
      'committed',
      'commitState of a key that must not exist and does not',
    );
    same(
      await conflict(t, id, [write('a', '2', 0)]),
      ['a', { key: 'a', value: 'null', version: 1 }],
      'conflict with a key that must not exist',
    );
    await commit(t.backend, id, [write('a', undefined)]);
    same(
      (await commit(t.backend, id, [write('a', '3', 0)])).status,
      'committed',
      'commitState of a key that must not exist and was removed',
    );
    same(
      (await commit(t.backend, id, [write('b', undefined, 0)])).status,
      'committed',
      'removal of a key that must not exist and does not',
    );
  }),

  sharedCase('state.compare.first', 'in the order of the writes', async (t) => {
    const id = await t.createLive();
    await commit(t.backend, id, [write('a', '1'), write('z', '1')]);
    const writes = [write('m', '1', 0), write('z', '2', 5), write('a', '2', 5)];
    same(
      await conflict(t, id, writes),
      ['z', { key: 'z', value: '1', version: 1 }],
      'conflict of a commit of which two keys are stale',
    );
    same(
      (await conflict(t, id, writes.toReversed()))[0],
      'a',
      'key of the conflict when the writes are in the other order',
    );
  }),

  sharedCase('state.compare.race', 'one of many commits of one version is made', async (t) => {
    const id = await t.createLive();
    const [handles, peers] = [await t.handles(4), await t.peers(2)];
    const one = (expected: number) => ({
      sessionId: id,
      writes: [write('a', '1', expected)],
      limits: UNLIMITED,
      expiresAt: undefined,
    });
    for (let expected = 0; expected < 10; expected += 1) {
      const results = await Promise.all([
        ...handles.map((backend) => backend.commitState(one(expected), NOW)),
        ...peers.map((peer) => peer.call('commitState', one(expected), NOW)),
      ]);
      const made = results.filter((result) => result?.status === 'committed').length;
      same(made, 1, `number of commits that were made, of ${results.length} that expect version ${expected}`);
    }
  }),
];

/** Makes a commit that must be refused. @returns The key and the row of the conflict. */
async function conflict(
  t: CaseContext,
  id: string,
  writes: readonly StateWrite[],
  limits: StateLimits = UNLIMITED,
): Promise<readonly unknown[]> {
  const result = await t.backend.commitState({ sessionId: id, writes, limits, expiresAt: undefined }, NOW);
  if (result?.status !== 'conflict') return [result];
  return [result.key, stateRow(result.current)];
}
