import type { SessionBackend } from '@mcp-session/core/backend';
import {
  append,
  appendAll,
  commit,
  event,
  HOUR,
  MIB,
  newSession,
  NOW,
  profileChange,
  readAll,
  readPage,
  request,
  seqs,
  trim,
  walkEvents,
  write,
} from '../actions.ts';
import { sharedCase, isolatedCase, unmigratedCase, type Case, type CaseContext } from '../case.ts';
import { holds, plain, rejects, same } from '../findings.ts';
import { reads, writes } from './methods.ts';
import { eventRow, sessionRow } from './rows.ts';

/** Creates a session with some of everything that a storage keeps. */
async function furnish(
  t: CaseContext,
): Promise<{ readonly id: string; readonly ended: string; readonly again: ReturnType<typeof request> }> {
  const id = await t.createLive({ kind: t.kind, principal: 'alice', profile: '{"a":1}' });
  const ended = await t.createLive();
  await t.backend.endSession(ended, NOW + HOUR, NOW);
  await t.backend.updateSession(id, profileChange('{"a":2}', 1, NOW + 2 * HOUR), NOW + 1);
  await commit(t.backend, id, [write('a', '1'), write('gone', '1')]);
  await commit(t.backend, id, [write('b', '2'), write('gone', undefined)]);
  const again = request(id, [event('s', '1'), event('s', '2')]);
  await appendAll(t.backend, [again], NOW);
  await append(t.backend, id, 'other', ['3', '4']);
  await trim(t.backend, id, { maxEvents: 3 });
  return { id, ended, again };
}

async function everything(backend: SessionBackend, id: string, ended: string): Promise<unknown> {
  const page = await readPage(backend, id);
  return plain({
    row: sessionRow(await backend.readSession(id, NOW)),
    ended: await backend.readSession(ended, NOW),
    state: await readAll(backend, id),
    events: page.events.map(eventRow),
    horizons: [
      page.trimmedSeq,
      (await readPage(backend, id, { streamId: 's' })).trimmedSeq,
      (await readPage(backend, id, { streamId: 'other' })).trimmedSeq,
    ],
  });
}

export const lifecycleCases: readonly Case[] = [
  sharedCase('capabilities.facts', 'whole numbers in their ranges', async ({ backend }) => {
    const { shared, durable, blocksThread, maxEventBytes, maxValueBytes, maxBatchEvents, concurrentBatches, poll } =
      backend.capabilities;
    holds(typeof backend.name === 'string' && backend.name !== '', 'the backend has no name');
    for (const [name, value] of Object.entries({ shared, durable, blocksThread })) {
      holds(typeof value === 'boolean', `${name} is not a boolean`);
    }
    for (const [name, value, least] of [
      ['maxEventBytes', maxEventBytes, MIB],
      ['maxValueBytes', maxValueBytes, MIB],
      ['maxBatchEvents', maxBatchEvents, 1],
      ['concurrentBatches', concurrentBatches, 1],
      ['poll.minMs', poll.minMs, 1],
      ['poll.maxMs', poll.maxMs, poll.minMs],
    ] as const) {
      holds(
        Number.isSafeInteger(value) && value >= least,
        `${name} is ${value}, not a whole number of ${least} or more`,
      );
    }
  }),

  isolatedCase('capabilities.shared', 'what a second handle sees', async (t) => {
    const { id } = await furnish(t);
    if (!t.capabilities.shared) {
      let other: SessionBackend;
      try {
        other = await t.reopen();
      } catch {
        return; // Refused: nothing is shared.
      }
      same(
        await other.readSession(id, NOW),
        undefined,
        'readSession of another handle, though the storage is not shared',
      );
      same(
        await other.countSessions({ kind: t.kind, principal: undefined }, NOW),
        0,
        'countSessions of another handle',
      );
      return;
    }
    const other = await t.reopen();
    same((await other.readSession(id, NOW))?.id, id, 'readSession of another handle on the same storage');
    for (let n = 1; n <= 20; n += 1) {
      const [writer, reader] = n % 2 === 0 ? [t.backend, other] : [other, t.backend];
      await commit(writer, id, [write('n', String(n))]);
      same(
        (await readAll(reader, id)).get('n')?.value,
        String(n),
        'value that another handle reads just after it was written',
      );
      const seq = await append(writer, id, 's', [String(n)]);
      same((await readPage(reader, id)).lastSeq, seq, 'lastSeq that another handle reads just after an append');
      await writer.touchSession(id, NOW + 3 * HOUR + n, NOW + n);
      same(
        (await reader.readSession(id, NOW))?.expiresAt,
        NOW + 3 * HOUR + n,
        'expiresAt that another handle reads just after a touch',
      );
    }
    await other.endSession(id, NOW + HOUR, NOW);
    same(await t.backend.readSession(id, NOW), undefined, 'readSession just after another handle ended the session');
  }),

  isolatedCase('capabilities.durable', 'what is there after closing and opening', async (t) => {
    const { id, ended, again } = await furnish(t);
    const before = await everything(t.backend, id, ended);
    await t.backend.close();
    const backend = await t.reopen();
    if (!t.capabilities.durable) {
      // A server may share data that it keeps only in memory. Data of this process alone is gone.
      if (!t.capabilities.shared) {
        same(
          await backend.readSession(id, NOW),
          undefined,
          'readSession after reopening a storage that is not durable',
        );
      }
      return;
    }
    same(await everything(backend, id, ended), before, 'session, state, events and horizons after reopening');
    same(
      await backend.createSession(newSession(ended), NOW),
      false,
      'createSession with the id of a tombstone after reopening',
    );
    same(
      (await appendAll(backend, [again], NOW))[0]?.firstSeq,
      1,
      'first number of a request that came again after reopening',
    );
    same(await append(backend, id, 's', ['5']), 5, 'number of the next event after reopening');
    const next = await commit(backend, id, [write('gone', '1', 0)]);
    same(next.status === 'committed' && next.version, 3, 'version of the next commit after reopening');
    same(await trim(backend, id, { maxEvents: 0 }), 4, 'number that a trim of all removed after reopening');
    await backend.close();
    same(await append(await t.reopen(), id, 's', ['6']), 6, 'number of the event after a trim of all and reopening');
  }),

  isolatedCase('capabilities.process', 'a process of its own', async (t) => {
    if (!t.capabilities.shared && !t.capabilities.durable) {
      same(t.secondProcess, undefined, 'secondProcess of a storage that lives in the memory of one process');
      return;
    }
    const id = await t.createLive();
    if (!t.capabilities.shared) await t.backend.close();
    const peer = await t.killablePeer();
    await peer.call('ping');
    same((await peer.call('readSession', id, NOW))?.id, id, 'readSession of a second process');
    same(
      await peer.run({ do: 'append', sessionId: id, writer: 'w', count: 2, now: NOW }),
      [1, 2],
      'numbers that a second process got',
    );
    if (t.capabilities.shared) {
      same(seqs(await walkEvents(t.backend, id)), [1, 2], 'numbers that a second process appended');
    }
  }),

  isolatedCase('lifecycle.migrate.repeat', 'again on a storage in use', async (t) => {
    const { id, ended } = await furnish(t);
    const before = await everything(t.backend, id, ended);
    await t.backend.migrate();
    await Promise.all((await t.handles(3)).map((backend) => backend.migrate()));
    same(await everything(t.backend, id, ended), before, 'session, state, events and horizons after migrating again');
  }),

  unmigratedCase('lifecycle.migrate.concurrent', 'all at once', async (t) => {
    const [handles, peers] = [await t.handles(3), await t.peers(2)];
    await Promise.all([...handles.map((backend) => backend.migrate()), ...peers.map((peer) => peer.call('migrate'))]);
    const { id } = await furnish(t);
    for (const backend of handles) {
      same((await readAll(backend, id)).size, 2, 'keys that a handle reads after all migrated at once');
    }
    for (const peer of peers) {
      same((await peer.call('readSession', id, NOW))?.id, id, 'readSession of a process after all migrated at once');
    }
  }),

  sharedCase('lifecycle.ping', 'one round trip', async (t) => {
    for (const backend of await t.handles(2)) same(await backend.ping(), undefined, 'ping');
  }),

  isolatedCase('lifecycle.close.repeat', 'once, twice, at the same time', async (t) => {
    await t.createLive();
    await Promise.all([t.backend.close(), t.backend.close()]);
    same(await t.backend.close(), undefined, 'close of a closed backend');
  }),

  isolatedCase('lifecycle.close.calls', 'every method rejects', async (t) => {
    const id = await t.createLive();
    const { backend } = t;
    await backend.close();
    const query = { kind: t.kind, principal: undefined };
    const others: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['createSession', () => backend.createSession(newSession(t.id()), NOW)],
      ['listSessions', () => backend.listSessions({ ...query, afterId: undefined, limit: 10 }, NOW)],
      ['countSessions', () => backend.countSessions(query, NOW)],
      ['countKinds', () => backend.countKinds(NOW)],
      ['sweep', () => backend.sweep(10, NOW)],
      ['ping', () => backend.ping()],
      ['migrate', () => backend.migrate()],
    ];
    for (const { method, call } of [...reads, ...writes]) {
      await rejects(() => call(backend, id, NOW), 'STORE_CLOSED', `${method} after close`);
    }
    for (const [method, call] of others) await rejects(call, 'STORE_CLOSED', `${method} after close`);
  }),

  isolatedCase('lifecycle.close.others', 'one of two', async (t) => {
    if (!t.capabilities.shared && t.capabilities.durable) await t.backend.close();
    const other = await t.reopen();
    await t.backend.close();
    const id = t.id();
    same(await other.createSession(newSession(id), NOW), true, 'createSession after another handle was closed');
    same(await append(other, id, 's', ['1']), 1, 'number of an event after another handle was closed');
  }),
];
