import { append, commit, event, HOUR, newSession, NOW, readAll, readPage, request, write } from '../actions.ts';
import { sharedCase, isolatedCase, type Case } from '../case.ts';
import { holds, same } from '../findings.ts';
import { sweepAll } from '../walks.ts';
import { reads, writes } from './methods.ts';

export const endingCases: readonly Case[] = [
  sharedCase('sessions.end.once', 'the second end is false', async (t) => {
    const [first = t.backend, second = t.backend] = await t.handles(2);
    const id = await t.createLive();
    same(await first.endSession(id, NOW + HOUR, NOW), true, 'endSession of a live session');
    same(await first.endSession(id, NOW + HOUR, NOW), false, 'endSession of an ended session');
    same(await second.endSession(id, NOW + HOUR, NOW), false, 'endSession of an ended session on another handle');
  }),

  sharedCase('sessions.end.once', 'one of many that race ends it', async (t) => {
    const handles = await t.handles(4);
    const peers = await t.peers(2);
    for (let round = 0; round < 10; round += 1) {
      const id = await t.createLive();
      const ends = await Promise.all([
        ...handles.map((backend) => backend.endSession(id, NOW + HOUR, NOW)),
        ...peers.map((peer) => peer.call('endSession', id, NOW + HOUR, NOW)),
      ]);
      same(
        ends.filter(Boolean).length,
        1,
        `number of callers to whom endSession was true, of ${ends.length} that race`,
      );
    }
  }),

  sharedCase('sessions.end.reads', 'nothing can be read after an end', async (t) => {
    const id = await t.createLive();
    await commit(t.backend, id, [write('k', '1')]);
    await append(t.backend, id, 's', ['1']);
    await t.backend.endSession(id, NOW + HOUR, NOW);
    for (const backend of await t.handles(2)) {
      for (const { method, absent, call } of reads) {
        same(await call(backend, id, NOW), absent, `${method} of an ended session`);
      }
    }
    const [peer] = await t.peers(1);
    same(await peer?.call('readSession', id, NOW), undefined, 'readSession of an ended session by another process');
    same(
      await peer?.call('readState', id, undefined, NOW),
      undefined,
      'readState of an ended session by another process',
    );
  }),

  sharedCase('sessions.end.writes', 'every write after an end is refused', async (t) => {
    const id = await t.createLive();
    await t.backend.endSession(id, NOW + HOUR, NOW);
    for (const backend of await t.handles(2)) {
      for (const { method, absent, call } of writes) {
        same(await call(backend, id, NOW), absent, `${method} of an ended session`);
      }
    }
    const [peer] = await t.peers(1);
    const late = await peer?.call('appendEvents', [request(id, [event('s', '1')])], NOW);
    same(late, [undefined], 'appendEvents to an ended session by another process');
    same(await t.backend.readSession(id, NOW), undefined, 'readSession after writes to an ended session');
  }),

  sharedCase(
    'sessions.end.writes',
    'no write that begins after an end succeeds, while others are under way',
    async (t) => {
      const handles = await t.handles(3);
      for (let round = 0; round < 5; round += 1) {
        const id = await t.createLive();
        let ended = false;
        const writers = handles.map(async (backend, index) => {
          for (let n = 0; n < 1_000; n += 1) {
            const late = ended;
            const seq = await append(backend, id, `w${index}`, [String(n)]);
            const state = await backend.commitState(
              {
                sessionId: id,
                writes: [write(`w${index}`, String(n))],
                limits: { maxKeys: 100, maxBytes: 10_000 },
                expiresAt: NOW + 2 * HOUR,
              },
              NOW,
            );
            holds(
              !late || seq === undefined,
              `appendEvents that began after an end was acknowledged gave number ${seq}`,
            );
            holds(!late || state === undefined, 'commitState that began after an end was acknowledged succeeded');
            if (late) return;
          }
        });
        const ending = (async () => {
          await append(t.backend, id, 'e', ['1']);
          await t.backend.endSession(id, NOW + HOUR, NOW);
          ended = true;
        })();
        await Promise.all([...writers, ending]);
        same(await t.backend.readSession(id, NOW), undefined, 'readSession after an end that writes raced');
      }
    },
  ),

  isolatedCase('sessions.tombstone.kept', 'taken until purgeAt, through sweeps', async (t) => {
    const id = await t.createLive({ expiresAt: NOW + 1_000 });
    await t.backend.endSession(id, NOW + HOUR, NOW);
    for (const now of [NOW, NOW + 1_000, NOW + HOUR - 1]) {
      same(await sweepAll(t.backend, now), [], 'ids that sweeps before purgeAt named');
      same(
        await t.backend.createSession(newSession(id), now),
        false,
        'createSession with the id of a tombstone, after a sweep before purgeAt',
      );
    }
  }),

  isolatedCase('sessions.tombstone.purged', 'free after a sweep at purgeAt', async (t) => {
    const id = await t.createLive();
    await t.backend.endSession(id, NOW + HOUR, NOW);
    same(await t.backend.endSession(id, NOW + 9 * HOUR, NOW), false, 'endSession of a tombstone, with a later purgeAt');
    same(await t.backend.createSession(newSession(id), NOW + HOUR), false, 'createSession at purgeAt, before a sweep');
    same(await sweepAll(t.backend, NOW + HOUR), [id], 'ids that a sweep at purgeAt named');
    same(
      await t.backend.createSession(newSession(id, { expiresAt: NOW + 9 * HOUR }), NOW + HOUR),
      true,
      'createSession after a sweep at purgeAt',
    );
    same((await readAll(t.backend, id, NOW + HOUR)).size, 0, 'keys of a session whose id was used before');
    same((await readPage(t.backend, id, {}, NOW + HOUR)).events, [], 'events of a session whose id was used before');
  }),

  sharedCase('sessions.end.once', 'an expired session cannot be ended', async (t) => {
    const id = await t.createLive({ expiresAt: NOW + 10 });
    same(await t.backend.endSession(id, NOW + HOUR, NOW + 10), false, 'endSession of an expired session');
    same(await t.backend.endSession(id, NOW + HOUR, NOW + 9), true, 'endSession one millisecond before expiresAt');
  }),
];
