import {
  append,
  appendAll,
  commit,
  event,
  HOUR,
  NOW,
  profileChange,
  range,
  readAll,
  request,
  seqs,
  trim,
  walkEvents,
  write,
} from '../actions.ts';
import { sharedCase, type Case } from '../case.ts';
import { present, same } from '../findings.ts';

export const parallelCases: readonly Case[] = [
  sharedCase('sessions.writes.parallel', 'appends, commits, updates, touches and trims', async (t) => {
    const id = await t.createLive();
    const [handles, peers] = [await t.handles(2), await t.peers(2)];
    const updateAll = async (): Promise<void> => {
      for (const n of range(1, 20)) {
        const change = profileChange(String(n), n);
        same(
          (await t.backend.updateSession(id, change, NOW))?.status,
          'updated',
          'updateSession among writes of other kinds',
        );
      }
    };
    await Promise.all([
      updateAll(),
      ...peers.map((peer, index) =>
        peer.run({ do: 'append', sessionId: id, writer: `w${index}`, count: 20, now: NOW }),
      ),
      ...range(1, 20).flatMap((n) =>
        handles.flatMap((backend, index) => [
          append(backend, id, 's', [String(n)]),
          commit(backend, id, [write(`h${index}-${n}`, '1')]),
          backend.touchSession(id, NOW + HOUR + n * 10 + index, NOW + n),
          trim(backend, id, { throughSeq: 5 }),
        ]),
      ),
    ]);
    const row = present(await t.backend.readSession(id, NOW), 'readSession of a live session');
    same(
      [row.lastSeq, row.version, row.profile],
      [80, 21, '20'],
      'lastSeq, version and profile after 80 appends and 20 updates',
    );
    same([row.expiresAt, row.touchedAt], [NOW + HOUR + 201, NOW + 20], 'expiresAt and touchedAt after 40 touches');
    same((await readAll(t.backend, id)).size, 40, 'keys after 40 commits of a key each');
    await trim(t.backend, id, { throughSeq: 5 });
    same(
      seqs(await walkEvents(t.backend, id)),
      range(6, 80),
      'numbers in the log after 80 appends and a trim of the first 5',
    );
  }),

  sharedCase('sessions.renewal.writes', 'each request of a call renews its own session', async (t) => {
    const ids = await Promise.all(range(1, 4).map(() => t.createLive()));
    const expiries = [NOW + 2 * HOUR, undefined, NOW + HOUR - 1, NOW + 3 * HOUR];
    const batch = ids.map((id, index) => request(id, [event('s', '1')], { expiresAt: expiries[index] }));
    await appendAll(t.backend, batch, NOW + 10);
    const rows = await Promise.all(ids.map((id) => t.backend.readSession(id, NOW)));
    const times = [
      [NOW + 2 * HOUR, NOW + 10],
      [NOW + HOUR, NOW],
      [NOW + HOUR, NOW + 10],
      [NOW + 3 * HOUR, NOW + 10],
    ];
    same(
      rows.map((row) => [row?.expiresAt, row?.touchedAt]),
      times,
      'expiresAt and touchedAt of four sessions of one call',
    );
  }),

  sharedCase('sessions.touch.shortens-never', 'however touches race', async (t) => {
    const id = await t.createLive();
    const [handles, peers] = [await t.handles(3), await t.peers(1)];
    const touches = range(1, 10).flatMap((n) => [
      ...handles.map((backend, index) => backend.touchSession(id, NOW + 2 * HOUR - n * 10 - index, NOW + n)),
      ...peers.map((peer) => peer.call('touchSession', id, NOW + HOUR + n, NOW + 20 - n)),
    ]);
    same(
      (await Promise.all(touches)).filter((live) => !live),
      [],
      'touches of a live session that were refused',
    );
    const row = present(await t.backend.readSession(id, NOW), 'readSession of a live session');
    const latest = [NOW + 2 * HOUR - 10, NOW + 19];
    same(
      [row.expiresAt, row.touchedAt],
      latest,
      'expiresAt and touchedAt after touches that raced: the greatest of each',
    );
  }),
];
