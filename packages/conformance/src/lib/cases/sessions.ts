import type { SessionRow } from '@mcp-session/core/backend';
import {
  append,
  commit,
  HOUR,
  newSession,
  NOW,
  profileChange,
  range,
  readAll,
  readPage,
  recordChange,
  write,
} from '../actions.ts';
import { sharedCase, type Case } from '../case.ts';
import { holds, same } from '../findings.ts';
import { sessionRow } from './rows.ts';

const profile = '{ "b": 1.0, "a": [2, "\\u0000 \\ud800 \u{1F600} \u2028"], "a": "twice" }';

// Every visible ASCII character, including all quotes, wildcards and separators of databases.
const visible = Array.from({ length: 94 }, (_, index) => String.fromCodePoint(0x21 + index)).join('');

export const sessionCases: readonly Case[] = [
  sharedCase('sessions.create.row', 'a new session reads as it was given', async (t) => {
    const given = newSession(t.id(), { kind: t.kind, principal: 'iss|alice', profile, expiresAt: NOW + 5 });
    same(await t.backend.createSession(given, NOW), true, 'createSession of a new id');
    const counters = { version: 1, recordVersion: 0, lastSeq: 0 };
    const row: SessionRow = { ...given, ...counters, record: '', createdAt: NOW, touchedAt: NOW };
    for (const backend of await t.handles(2)) {
      same(sessionRow(await backend.readSession(given.id, NOW + 1)), row, 'readSession of a session just created');
    }
  }),

  sharedCase('sessions.create.duplicate', 'the id of a live session is taken', async (t) => {
    const id = await t.createLive({ kind: t.kind, principal: 'alice', profile });
    await commit(t.backend, id, [write('k', '1')]);
    await append(t.backend, id, 's', ['1']);
    const before = sessionRow(await t.backend.readSession(id, NOW));
    const usurper = newSession(id, { principal: 'mallory', expiresAt: NOW + 9 * HOUR });
    same(await t.backend.createSession(usurper, NOW + 1), false, 'createSession with the id of a live session');
    same(sessionRow(await t.backend.readSession(id, NOW)), before, 'readSession after a create with the same id');
    same([...(await readAll(t.backend, id)).keys()], ['k'], 'keys of the state after a create with the same id');
    same((await readPage(t.backend, id)).events.length, 1, 'events after a create with the same id');
  }),

  sharedCase('sessions.create.duplicate', 'the id of an expired session that was not swept is taken', async (t) => {
    const id = await t.createLive({ expiresAt: NOW + 10 });
    const again = newSession(id, { expiresAt: NOW + 2 * HOUR });
    same(await t.backend.createSession(again, NOW + 20), false, 'createSession with the id of an expired session');
    same(await t.backend.readSession(id, NOW + 20), undefined, 'readSession of the expired session after that');
  }),

  sharedCase('sessions.create.duplicate', 'the id of an ended session is taken', async (t) => {
    const id = await t.createLive();
    await t.backend.endSession(id, NOW + HOUR, NOW);
    same(await t.backend.createSession(newSession(id), NOW + 1), false, 'createSession with the id of a tombstone');
    same(await t.backend.readSession(id, NOW + 1), undefined, 'readSession of the ended session after that');
  }),

  sharedCase('sessions.create.race', 'one of many handles wins each id', async (t) => {
    const handles = await t.handles(4);
    for (let round = 0; round < 10; round += 1) {
      const id = t.id();
      const wins = await Promise.all(
        handles.map((backend, index) => backend.createSession(newSession(id, { principal: `p${index}` }), NOW)),
      );
      same(wins.filter(Boolean).length, 1, `number of winners of ${handles.length} racing creates`);
      const row = await t.backend.readSession(id, NOW);
      same(row?.principal, `p${wins.indexOf(true)}`, 'principal of the session after the race: the one of the winner');
    }
  }),

  sharedCase('sessions.create.race', 'one of several processes wins each id', async (t) => {
    const ids = Array.from({ length: 20 }, () => t.id());
    const peers = await t.peers(3);
    const wins = await Promise.all(
      peers.map((peer) => Promise.all(ids.map((id) => peer.call('createSession', newSession(id), NOW)))),
    );
    for (const [index] of ids.entries()) {
      same(wins.filter((own) => own[index]).length, 1, `number of winners of ${peers.length} racing creates`);
    }
  }),

  sharedCase('sessions.create.race', 'one of 64 callers in four processes wins an id', async (t) => {
    const [peers, handles] = [await t.peers(3), await t.handles(2)];
    const session = newSession(t.id());
    const wins = await Promise.all(
      range(1, 16).flatMap((n) => [
        ...peers.map((peer) => peer.call('createSession', session, NOW)),
        (handles[n % handles.length] ?? t.backend).createSession(session, NOW),
      ]),
    );
    same([wins.length, wins.filter(Boolean).length], [64, 1], 'number of callers and of winners of one id');
  }),

  sharedCase('sessions.ids.bytes', 'ids that a database might fold or cut are different sessions', async (t) => {
    const stem = t.id();
    const long = `${stem}${visible}`.padEnd(254, '~');
    const ids = ['a', 'A', 'a%', 'a_', '%', "a'", 'a"', 'a\\', 'a/', 'a#', 'a:b', 'a.b', '01', '1', '1.0', 'null'];
    const all = [...ids.map((id) => `${stem}${id}`), stem, `${long}x`, `${long}y`];
    for (const id of all) {
      same(await t.backend.createSession(newSession(id, { principal: id }), NOW), true, `createSession ${id}`);
    }
    for (const id of all) same((await t.backend.readSession(id, NOW))?.principal, id, `principal of the session ${id}`);
    same(await t.backend.readSession(long, NOW), undefined, 'readSession of an id that is the beginning of others');
    same(await t.backend.endSession(`${stem}A`, NOW + HOUR, NOW), true, 'endSession of an id in capitals');
    holds(
      (await t.backend.readSession(`${stem}a`, NOW)) !== undefined,
      'endSession of an id in capitals ended the one in small letters',
    );
  }),

  sharedCase('sessions.texts.opaque', 'a principal is any text', async (t) => {
    for (const principal of [
      '',
      ' a ',
      'Alice',
      'alice',
      "o'hara",
      '%',
      'a\u0301',
      '\u00e1',
      '\u{1F600}',
      'null',
      '{}',
      'x'.repeat(1_000),
    ]) {
      const id = await t.createLive({ principal });
      same((await t.backend.readSession(id, NOW))?.principal, principal, 'principal of a session');
    }
  }),

  sharedCase('sessions.texts.opaque', 'a profile of any size is any JSON text, and so is a record', async (t) => {
    const large = JSON.stringify({ text: '\u{1F600}'.repeat(15_000) });
    const id = await t.createLive({ profile: large });
    same(
      (await t.backend.readSession(id, NOW))?.profile === large,
      true,
      'whether a profile of 60 kB came back as it was given',
    );
    for (const [index, text] of [profile, '""', '0', 'null', '{"a":1e400}'].entries()) {
      await t.backend.updateSession(id, profileChange(text, index + 1), NOW);
      same((await t.backend.readSession(id, NOW))?.profile, text, 'profile of a session after updateSession');
      await t.backend.updateSession(id, recordChange(text, index), NOW);
      same((await t.backend.readSession(id, NOW))?.record, text, 'record of a session after updateSession');
    }
    await t.backend.updateSession(id, recordChange('', 5), NOW);
    same((await t.backend.readSession(id, NOW))?.record, '', 'record of a session after it was emptied');
  }),
];
