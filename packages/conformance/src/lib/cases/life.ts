import type { SessionBackend } from '@mcp-session/core/backend';
import {
  appendAll,
  append,
  commit,
  event,
  HOUR,
  newSession,
  NOW,
  profileChange,
  readAll,
  readPage,
  request,
  UNLIMITED,
  write,
} from '../actions.ts';
import { sharedCase, type Case } from '../case.ts';
import { holds, present, same } from '../findings.ts';
import { reads, writes, type MethodCall } from './methods.ts';
import { sessionRow } from './rows.ts';

/** Fails unless each call answers as for a session that does not exist. */
async function absent(
  calls: readonly MethodCall[],
  backend: SessionBackend,
  id: string,
  now: number,
  when: string,
): Promise<void> {
  for (const { method, absent, call } of calls) same(await call(backend, id, now), absent, `${method} ${when}`);
}

/** Gives a session a key and an event. It expires at `NOW + 1,000`. */
async function furnished(backend: SessionBackend, id: string): Promise<void> {
  await commit(backend, id, [write('k', '1')]);
  await append(backend, id, 's', ['1']);
}

async function times(backend: SessionBackend, id: string): Promise<readonly number[]> {
  const row = present(await backend.readSession(id, NOW), 'readSession of a live session');
  return [row.expiresAt, row.touchedAt];
}

export const lifeCases: readonly Case[] = [
  sharedCase('sessions.unknown', 'no method finds or makes a session from an unknown id', async (t) => {
    const id = t.id();
    for (const call of [...reads, ...writes]) {
      await absent([call], t.backend, id, NOW, 'of an id that was never created');
      await absent(reads, t.backend, id, NOW, `after ${call.method} of an id that was never created`);
    }
    same(
      await t.backend.createSession(newSession(id), NOW),
      true,
      'createSession of an id that was never created, after all other methods',
    );
  }),

  sharedCase('sessions.expiry.reads', 'gone from the millisecond of expiry, and there one before', async (t) => {
    const id = await t.createLive({ expiresAt: NOW + 1_000 });
    await furnished(t.backend, id);
    for (const backend of await t.handles(2)) {
      for (const { method, call } of reads) {
        const got = await call(backend, id, NOW + 999);
        holds(
          got !== undefined && got !== 0,
          `${method} one millisecond before expiresAt answered as if the session did not exist`,
        );
      }
      await absent(reads, backend, id, NOW + 1_000, 'at expiresAt');
      await absent(reads, backend, id, NOW + HOUR, 'long after expiresAt');
    }
  }),

  ...writes.map((each) =>
    sharedCase('sessions.expiry.writes', `${each.method} is refused from the millisecond of expiry`, async (t) => {
      const [first = t.backend, second = t.backend] = await t.handles(2);
      const dead = await t.createLive({ expiresAt: NOW + 1_000 });
      await furnished(first, dead);
      const before = await contents(first, dead);
      for (const backend of [first, second]) await absent([each], backend, dead, NOW + 1_000, 'at expiresAt');
      // Time is an argument: before its expiry, the session is unchanged.
      same(await contents(first, dead), before, `what the session holds after ${each.method} at expiresAt`);

      const live = await t.createLive({ expiresAt: NOW + 1_000 });
      await furnished(first, live);
      const got = await each.call(second, live, NOW + 999);
      holds(
        JSON.stringify(got) !== JSON.stringify(each.absent),
        `${each.method} one millisecond before expiresAt was refused`,
      );
    }),
  ),

  sharedCase('sessions.touch.renews', 'the new expiry counts at once', async (t) => {
    const [first = t.backend, second = t.backend] = await t.handles(2);
    const id = await t.createLive({ expiresAt: NOW + 1_000 });
    same(await first.touchSession(id, NOW + 2_000, NOW + 500), true, 'touchSession of a live session');
    same(await times(second, id), [NOW + 2_000, NOW + 500], 'expiresAt and touchedAt after touchSession');
    holds((await second.readSession(id, NOW + 1_999)) !== undefined, 'a renewed session expired at its old time');
    same(await second.readSession(id, NOW + 2_000), undefined, 'readSession at the new expiresAt');
  }),

  sharedCase('sessions.touch.shortens-never', 'an earlier expiry or time changes nothing', async (t) => {
    const id = await t.createLive({ expiresAt: NOW + 5_000 });
    await t.backend.touchSession(id, NOW + 6_000, NOW + 100);
    same(
      await t.backend.touchSession(id, NOW + 4_000, NOW + 50),
      true,
      'touchSession with an earlier expiresAt and an earlier time',
    );
    same(
      await times(t.backend, id),
      [NOW + 6_000, NOW + 100],
      'expiresAt and touchedAt after a touch with earlier ones',
    );
    await t.backend.touchSession(id, NOW + 4_000, NOW + 200);
    same(
      await times(t.backend, id),
      [NOW + 6_000, NOW + 200],
      'expiresAt and touchedAt after a touch with an earlier expiry and a later time',
    );
    await t.backend.touchSession(id, NOW + 7_000, NOW + 150);
    same(
      await times(t.backend, id),
      [NOW + 7_000, NOW + 200],
      'expiresAt and touchedAt after a touch with a later expiry and an earlier time',
    );
  }),

  ...(['updateSession', 'commitState', 'clearState', 'appendEvents'] as const).flatMap((method) => {
    const call = async (
      backend: SessionBackend,
      id: string,
      version: number,
      expiresAt: number | undefined,
      now: number,
    ) => {
      switch (method) {
        case 'updateSession':
          return backend.updateSession(id, profileChange('"x"', version, expiresAt), now);
        case 'commitState':
          return backend.commitState({ sessionId: id, writes: [write('k', '2')], limits: UNLIMITED, expiresAt }, now);
        case 'clearState':
          return backend.clearState(id, expiresAt, now);
        case 'appendEvents':
          return (await appendAll(backend, [request(id, [event('s', '1')], { expiresAt })], now))[0];
      }
    };
    return [
      sharedCase('sessions.renewal.writes', `${method} renews and never shortens`, async (t) => {
        const id = await t.createLive({ expiresAt: NOW + 1_000 });
        present(await call(t.backend, id, 1, NOW + 3_000, NOW + 10), `${method} of a live session`);
        same(
          await times(t.backend, id),
          [NOW + 3_000, NOW + 10],
          `expiresAt and touchedAt after ${method} with a later expiresAt`,
        );
        present(await call(t.backend, id, 2, NOW + 2_000, NOW + 5), `${method} of a live session`);
        same(
          await times(t.backend, id),
          [NOW + 3_000, NOW + 10],
          `expiresAt and touchedAt after ${method} with an earlier expiresAt`,
        );
      }),
      sharedCase('sessions.renewal.none', `${method} without expiresAt leaves the times alone`, async (t) => {
        const id = await t.createLive({ expiresAt: NOW + 1_000 });
        present(await call(t.backend, id, 1, undefined, NOW + 10), `${method} of a live session`);
        same(
          await times(t.backend, id),
          [NOW + 1_000, NOW],
          `expiresAt and touchedAt after ${method} without expiresAt`,
        );
      }),
    ];
  }),

  sharedCase('sessions.renewal.none', 'a conflict or a limit renews nothing', async (t) => {
    const id = await t.createLive({ expiresAt: NOW + 1_000 });
    const expiresAt = NOW + 9_000;
    await t.backend.updateSession(id, profileChange('"x"', 7, expiresAt), NOW + 10);
    const stale = { sessionId: id, writes: [write('k', '1', 7)], limits: UNLIMITED, expiresAt };
    await t.backend.commitState(stale, NOW + 10);
    await t.backend.commitState({ ...stale, writes: [write('k', '1')], limits: { maxKeys: 0, maxBytes: 0 } }, NOW + 10);
    same(await times(t.backend, id), [NOW + 1_000, NOW], 'expiresAt and touchedAt after writes that changed nothing');
  }),

  sharedCase('sessions.renewal.none', 'reads and trims renew nothing', async (t) => {
    const id = await t.createLive({ expiresAt: NOW + 1_000 });
    await furnished(t.backend, id);
    for (const { call } of reads) await call(t.backend, id, NOW + 10);
    const trimEvents = writes.find(({ method }) => method === 'trimEvents');
    same(await trimEvents?.call(t.backend, id, NOW + 10), 1, 'number of events that a trim removed');
    same(await times(t.backend, id), [NOW + 1_000, NOW], 'expiresAt and touchedAt after reads and a trim');
  }),
];

async function contents(backend: SessionBackend, id: string): Promise<unknown> {
  const { events, lastSeq, trimmedSeq } = await readPage(backend, id);
  const row = sessionRow(await backend.readSession(id, NOW));
  return {
    row,
    state: [...(await readAll(backend, id)).values()],
    messages: events.map((each) => each.message),
    lastSeq,
    trimmedSeq,
  };
}
