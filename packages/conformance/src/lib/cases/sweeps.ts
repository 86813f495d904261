import {
  append,
  appendAll,
  commit,
  event,
  fill,
  HOUR,
  newSession,
  newToken,
  NOW,
  profileChange,
  range,
  readAll,
  readPage,
  request,
  seqs,
  trim,
  walkEvents,
  write,
} from '../actions.ts';
import { isolatedCase, type Case, type CaseContext } from '../case.ts';
import { holds, same } from '../findings.ts';
import { sweepAll } from '../walks.ts';

/** Gives a session keys and events. */
async function furnish(t: CaseContext, id: string, keys: number, events: number): Promise<void> {
  for (let from = 0; from < keys; from += 50) {
    await commit(
      t.backend,
      id,
      range(from + 1, Math.min(keys, from + 50)).map((index) => write(`k${index}`, '1')),
    );
  }
  await fill(t.backend, id, 's', events);
}

export const sweepCases: readonly Case[] = [
  isolatedCase('sweep.expired', 'nothing of the old session is found by the next of its id', async (t) => {
    const id = await t.createLive({ expiresAt: NOW + 1_000 });
    const token = newToken();
    await commit(t.backend, id, [write('k', '1')]);
    await appendAll(t.backend, [request(id, [event('s', '1'), event('s', '2')], { token })], NOW);
    await append(t.backend, id, 'other', ['3', '4']);
    await trim(t.backend, id, { maxEvents: 2 });
    same(await sweepAll(t.backend, NOW + 999), [], 'ids that a sweep named one millisecond before expiresAt');
    same(await sweepAll(t.backend, NOW + 1_000), [id], 'ids that a sweep at expiresAt named');
    same(
      await t.backend.createSession(newSession(id), NOW + 1_000),
      true,
      'createSession with the id of a session that was swept',
    );
    same((await readAll(t.backend, id)).size, 0, 'keys of a session whose id was used before');
    const page = await readPage(t.backend, id);
    same(
      [seqs(page.events), page.lastSeq, page.trimmedSeq],
      [[], 0, 0],
      'events, lastSeq and trimmedSeq of a session whose id was used before',
    );
    const result = await appendAll(t.backend, [request(id, [event('s', '"new"')], { token })], NOW);
    same(result[0]?.firstSeq, 1, 'first number of a session whose id was used before');
    same(
      (await readPage(t.backend, id, { streamId: 's' })).trimmedSeq,
      0,
      'trimmedSeq of a stream whose name was used before',
    );
    same(
      (await walkEvents(t.backend, id)).map((row) => row.message),
      ['"new"'],
      'messages of a session whose id was used before',
    );
    const first = await t.backend.commitState(
      { sessionId: id, writes: [write('k', '1', 0)], limits: { maxKeys: 1, maxBytes: 2 }, expiresAt: undefined },
      NOW,
    );
    same(
      first?.status,
      'committed',
      'commitState of the one key that the limits allow to a session whose id was used before',
    );
  }),

  isolatedCase('sweep.live', 'live sessions keep everything', async (t) => {
    const [live, renewed, dead] = [
      await t.createLive(),
      await t.createLive({ expiresAt: NOW + 1_000 }),
      await t.createLive({ expiresAt: NOW + 1_000 }),
    ];
    for (const id of [live, renewed, dead]) await furnish(t, id, 3, 3);
    await t.backend.touchSession(renewed, NOW + 5_000, NOW);
    same(
      await sweepAll(t.backend, NOW + 2_000),
      [dead],
      'ids that a sweep named, of a live, a renewed and an expired session',
    );
    for (const id of [live, renewed]) {
      same((await readAll(t.backend, id, NOW + 2_000)).size, 3, 'keys of a live session after a sweep');
      same(seqs(await walkEvents(t.backend, id, {}, NOW + 2_000)), [1, 2, 3], 'events of a live session after a sweep');
      same(
        (await append(t.backend, id, 's', ['4'], NOW + 2_000)) ?? 'not live',
        4,
        'number of the next event of a live session after a sweep',
      );
    }
  }),

  isolatedCase('sweep.live', 'a session renewed by each kind of write stays', async (t) => {
    const expiresAt = NOW + 5_000;
    const [a, b, c, d] = await Promise.all(range(1, 4).map(() => t.createLive({ expiresAt: NOW + 1_000 })));
    const limits = { maxKeys: 10, maxBytes: 100 };
    await t.backend.updateSession(a ?? '', profileChange('1', 1, expiresAt), NOW);
    await t.backend.commitState({ sessionId: b ?? '', writes: [write('k', '1')], limits, expiresAt }, NOW);
    await t.backend.clearState(c ?? '', expiresAt, NOW);
    await appendAll(t.backend, [request(d ?? '', [event('s', '1')], { expiresAt })], NOW);
    same(await sweepAll(t.backend, NOW + 2_000), [], 'ids that a sweep named after writes that renewed them all');
  }),

  isolatedCase('sweep.ended', 'the data first, the record at purgeAt', async (t) => {
    const [id, later] = [await t.createLive(), await t.createLive()];
    for (const each of [id, later]) await furnish(t, each, 20, 20);
    await t.backend.endSession(id, NOW + 1_000, NOW);
    await t.backend.endSession(later, NOW + 2_000, NOW);
    same(await sweepAll(t.backend, NOW + 999), [], 'ids that a sweep before purgeAt named');
    same(await sweepAll(t.backend, NOW + 1_000), [id], 'ids that a sweep at the purgeAt of one of two named');
    same(await sweepAll(t.backend, NOW + 2_000), [later], 'ids that a sweep at the purgeAt of the other named');
    same(await t.backend.createSession(newSession(id), NOW + 2_000), true, 'createSession after a sweep at purgeAt');
    same((await readAll(t.backend, id)).size, 0, 'keys of a session whose id was used before');
    same(seqs((await readPage(t.backend, id)).events), [], 'events of a session whose id was used before');
  }),

  isolatedCase('sweep.bounded', 'sessions, state and events count', async (t) => {
    const many = await Promise.all(range(1, 120).map(() => t.createLive({ expiresAt: NOW + 1_000 })));
    let steps = 0;
    const gone: string[] = [];
    for (let done = false; !done; steps += 1) {
      holds(steps < 1_000, 'sweep never said that it was done, in 1,000 steps');
      const swept = await t.backend.sweep(20, NOW + 1_000);
      holds(swept.ids.length <= 40, `sweep with limit 20 removed ${swept.ids.length} sessions in one step`);
      gone.push(...swept.ids);
      done = swept.done;
    }
    same(gone.toSorted(), many.toSorted(), 'ids that all steps of a sweep named');
    holds(steps >= 3, `sweep with limit 20 removed 120 sessions in ${steps} steps`);

    const large = await t.createLive({ expiresAt: NOW + 1_000 });
    await furnish(t, large, 100, 400);
    for (steps = 1; ; steps += 1) {
      const swept = await t.backend.sweep(50, NOW + 1_000);
      holds(
        !swept.done || swept.ids.includes(large) || steps > 1,
        'sweep says that it is done while a session is left to remove',
      );
      if (swept.ids.includes(large)) break;
      holds(steps < 1_000, 'sweep did not remove a session with 500 rows in 1,000 steps of 50');
    }
    holds(steps >= 5, `sweep with limit 50 removed a session with 500 rows of state and events in ${steps} steps`);
    same((await t.backend.sweep(50, NOW + 1_000)).done, true, 'done of a sweep when nothing is left to remove');
  }),

  isolatedCase('sweep.order', 'a sweep that is cut off after any step is finished by another handle', async (t) => {
    const id = await t.createLive({ expiresAt: NOW + 1_000 });
    await furnish(t, id, 30, 90);
    const handles = await t.handles(2);
    for (let step = 0; ; step += 1) {
      holds(step < 1_000, 'sweep did not remove a session with 120 rows in 1,000 steps of 25');
      const swept = await handles[step % 2]?.sweep(25, NOW + 1_000);
      same(await t.backend.readSession(id, NOW + 1_000), undefined, 'readSession of a session that is partly swept');
      if (swept?.ids.includes(id) === true) break;
      same(
        await t.backend.createSession(newSession(id), NOW + 1_000),
        false,
        'createSession with the id of a session that is partly swept',
      );
    }
    same(
      await t.backend.createSession(newSession(id), NOW + 1_000),
      true,
      'createSession after the last step of a sweep',
    );
    same((await readAll(t.backend, id)).size, 0, 'keys of a session whose id was used before');
    same(seqs((await readPage(t.backend, id)).events), [], 'events of a session whose id was used before');
  }),

  isolatedCase('sweep.order', 'half a session is shown to nobody whose clock is behind', async (t) => {
    const id = await t.createLive({ expiresAt: NOW + 1_000 });
    await furnish(t, id, 30, 90);
    for (let step = 0; ; step += 1) {
      holds(step < 1_000, 'sweep did not remove a session with 120 rows in 1,000 steps of 25');
      const { ids } = await t.backend.sweep(25, NOW + 1_000);
      same(
        await t.backend.readSession(id, NOW),
        undefined,
        'readSession, with an earlier time, of a session that is partly swept',
      );
      same(
        await t.backend.touchSession(id, NOW + HOUR, NOW),
        false,
        'touchSession, with an earlier time, of a session that is partly swept',
      );
      if (ids.includes(id)) return;
    }
  }),

  isolatedCase('sweep.concurrent', 'from several handles and processes, while a writer is at work', async (t) => {
    const [live = '', ...dead] = await Promise.all(
      range(0, 60).map((index) => t.createLive({ expiresAt: index === 0 ? NOW + HOUR : NOW + 1_000 })),
    );
    for (const id of dead.slice(0, 10)) await furnish(t, id, 5, 5);
    const sweeper = async (step: () => Promise<{ readonly ids: readonly string[]; readonly done: boolean }>) => {
      const ids: string[] = [];
      for (let steps = 0; steps < 1_000; steps += 1) {
        const swept = await step();
        ids.push(...swept.ids);
        if (swept.done) break;
      }
      return ids;
    };
    const [handles, peers] = [await t.handles(3), await t.peers(2)];
    const [swept] = await Promise.all([
      Promise.all([
        ...handles.map((backend) => sweeper(() => backend.sweep(10, NOW + 1_000))),
        ...peers.map((peer) => sweeper(() => peer.call('sweep', 10, NOW + 1_000))),
      ]),
      peers[0]?.run({ do: 'append', sessionId: live, writer: 'w', count: 20, now: NOW + 1_000 }),
    ]);
    const rest = await sweepAll(t.backend, NOW + 1_000);
    const gone = [...swept.flat(), ...rest];
    same(gone.toSorted(), dead.toSorted(), 'ids that sweeps at the same time named, each once');
    same(
      seqs(await walkEvents(t.backend, live, {}, NOW + 1_000)),
      range(1, 20),
      'events of a live session that was written to during sweeps',
    );
  }),
];
