import type { StateLimits, StateResult, StateWrite } from '@mcp-session/core/backend';
import { commit, NOW, range, readAll, UNLIMITED, write } from '../actions.ts';
import { sharedCase, type Case, type CaseContext } from '../case.ts';
import { holds, same } from '../findings.ts';

async function limited(
  t: CaseContext,
  id: string,
  writes: readonly StateWrite[],
  limits: Partial<StateLimits>,
): Promise<StateResult | undefined> {
  return t.backend.commitState(
    { sessionId: id, writes, limits: { ...UNLIMITED, ...limits }, expiresAt: undefined },
    NOW,
  );
}

export const limitCases: readonly Case[] = [
  sharedCase('state.limits.keys', 'both sides of the bound', async (t) => {
    const id = await t.createLive();
    const two = [write('a', '1'), write('b', '1')];
    same(
      await limited(t, id, two, { maxKeys: 1 }),
      { status: 'limit', limit: 'maxKeys' },
      'commitState of two keys where one is allowed',
    );
    same((await readAll(t.backend, id)).size, 0, 'keys after a commit past maxKeys');
    same(
      (await limited(t, id, two, { maxKeys: 2 }))?.status,
      'committed',
      'commitState of just as many keys as are allowed',
    );
    const third = await limited(t, id, [write('a', '2'), write('c', '1')], { maxKeys: 2 });
    same(third, { status: 'limit', limit: 'maxKeys' }, 'commitState of a third key where two are allowed');
    same(
      (await readAll(t.backend, id)).get('a')?.value,
      '1',
      'value of a key that a commit past maxKeys would have changed',
    );
    same(
      (await limited(t, id, [write('a', '3')], { maxKeys: 2 }))?.status,
      'committed',
      'replacement of a key at the limit',
    );
    const swap = [write('c', '1'), write('b', undefined)];
    same(
      (await limited(t, id, swap, { maxKeys: 2 }))?.status,
      'committed',
      'commitState that adds one key and removes one at the limit',
    );
    same([...(await readAll(t.backend, id)).keys()].toSorted(), ['a', 'c'], 'keys after that');
  }),

  sharedCase('state.limits.bytes', 'both sides of the bound, keys and values together', async (t) => {
    const id = await t.createLive();
    // 'k\u00e1' has 3 bytes and '"\u{1F600}"' has 6: characters are not bytes.
    const first = [write('k\u00e1', '"\u{1F600}"')];
    same(
      await limited(t, id, first, { maxBytes: 8 }),
      { status: 'limit', limit: 'maxBytes' },
      'commitState of 9 bytes where 8 are allowed',
    );
    same((await readAll(t.backend, id)).size, 0, 'keys after a commit past maxBytes');
    same(
      (await limited(t, id, first, { maxBytes: 9 }))?.status,
      'committed',
      'commitState of 9 bytes where 9 are allowed',
    );
    const second = await limited(t, id, [write('b', '1')], { maxBytes: 10 });
    same(second, { status: 'limit', limit: 'maxBytes' }, 'commitState of 2 more bytes where 1 is left');
    same(
      (await limited(t, id, [write('b', '1')], { maxBytes: 11 }))?.status,
      'committed',
      'commitState of 2 more bytes where 2 are left',
    );
    const longer = await limited(t, id, [write('b', '12')], { maxBytes: 11 });
    same(longer, { status: 'limit', limit: 'maxBytes' }, 'replacement by a value that is 1 byte longer at the limit');
    const moved = [write('k\u00e1', undefined), write('b', '12345678')];
    same(
      (await limited(t, id, moved, { maxBytes: 11 }))?.status,
      'committed',
      'commitState that frees 9 bytes and takes 7',
    );
    same(
      (await limited(t, id, [write('cc', '1')], { maxBytes: 12 }))?.status,
      'committed',
      'commitState of 3 more bytes where 3 are left',
    );
    await t.backend.clearState(id, undefined, NOW);
    same(
      (await limited(t, id, [write('a', '1')], { maxBytes: 2 }))?.status,
      'committed',
      'commitState of 2 bytes after a clear where 2 are allowed',
    );
  }),

  sharedCase('state.limits.lowered', 'what is there can shrink', async (t) => {
    const id = await t.createLive();
    await commit(
      t.backend,
      id,
      range(1, 10).map((index) => write(`k${index % 10}`, '"1234567890"')),
    );
    const low = { maxKeys: 3, maxBytes: 10 };
    same(
      (await limited(t, id, [write('k1', '"1234567809"')], low))?.status,
      'committed',
      'replacement by as many bytes, over lowered limits',
    );
    same(
      (await limited(t, id, [write('k1', '1')], low))?.status,
      'committed',
      'replacement by fewer bytes, over lowered limits',
    );
    same((await limited(t, id, [write('k2', undefined)], low))?.status, 'committed', 'removal, over lowered limits');
    same(
      (await limited(t, id, [write('k3', undefined), write('new', '1')], low))?.status,
      'committed',
      'exchange of a key, over lowered limits',
    );
    const more = await limited(t, id, [write('k1', '"1234567890"')], low);
    same(more, { status: 'limit', limit: 'maxBytes' }, 'replacement by more bytes, over lowered limits');
    const key = await limited(
      t,
      id,
      [
        write('k2', '1'),
        write('k4', undefined),
        write('k5', '1'),
        write('k6', undefined),
        write('x', '1'),
        write('y', '1'),
      ],
      low,
    );
    same(
      key,
      { status: 'limit', limit: 'maxKeys' },
      'commitState that leaves more keys but fewer bytes, over lowered limits',
    );
  }),

  sharedCase('state.limits.versions-first', 'a conflict is not hidden by a limit', async (t) => {
    const id = await t.createLive();
    await commit(t.backend, id, [write('a', '1')]);
    const result = await limited(t, id, [write('b', '1'), write('a', '"long"', 9)], { maxKeys: 1, maxBytes: 1 });
    same(result?.status, 'conflict', 'commitState that is both stale and past the limits');
  }),

  sharedCase('state.limits.parallel', 'never more together than allowed', async (t) => {
    const id = await t.createLive();
    const [handles, peers] = [await t.handles(4), await t.peers(2)];
    const one = (key: string) => ({
      sessionId: id,
      writes: [write(key, '1')],
      limits: { maxKeys: 10, maxBytes: 10_000 },
      expiresAt: undefined,
    });
    const results = await Promise.all([
      ...handles.flatMap((backend, index) => range(1, 8).map((n) => backend.commitState(one(`h${index}-${n}`), NOW))),
      ...peers.flatMap((peer, index) => range(1, 4).map((n) => peer.call('commitState', one(`p${index}-${n}`), NOW))),
    ]);
    const made = results.filter((result) => result?.status === 'committed').length;
    const { size } = await readAll(t.backend, id);
    holds(size <= 10, `40 parallel commits of a key each left ${size} keys where 10 are allowed`);
    same(
      [made, size],
      [10, 10],
      'commits that were made and keys that are there, of 40 parallel commits where 10 keys are allowed',
    );
  }),
];
