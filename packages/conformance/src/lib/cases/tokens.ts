import {
  answersOf,
  appendAll,
  append,
  event,
  fill,
  newToken,
  NOW,
  readPage,
  request,
  trim,
  walkEvents,
} from '../actions.ts';
import { sharedCase, type Case } from '../case.ts';
import { holds, same } from '../findings.ts';

export const tokenCases: readonly Case[] = [
  sharedCase('events.token.repeat', 'the first outcome again', async (t) => {
    const [id, other] = [await t.createLive(), await t.createLive()];
    const again = request(id, [event('s', '"a"'), event('s', '"b"')]);
    await append(t.backend, id, 's', ['0']);
    same((await appendAll(t.backend, [again], NOW))[0]?.firstSeq, 2, 'first number of a request');
    for (const backend of await t.handles(2)) {
      const batch = [request(other, [event('s', '1')]), again];
      const results = await appendAll(backend, batch, NOW + 1);
      same(results[1]?.firstSeq, 2, 'first number of the request when it came again');
      holds(results[0] !== undefined, 'a request beside one whose token was known got no number');
    }
    same(
      (await walkEvents(t.backend, id)).map((row) => row.message),
      ['0', '"a"', '"b"'],
      'messages after a request came three times',
    );
    const twin = { ...again, token: newToken() };
    same(
      (await appendAll(t.backend, [twin], NOW))[0]?.firstSeq,
      4,
      'first number of the same events with another token',
    );
  }),

  sharedCase('events.token.remembered', 'behind 999 later events', async (t) => {
    const id = await t.createLive();
    const again = request(id, [event('s', '"first"')]);
    await appendAll(t.backend, [again], NOW);
    await fill(t.backend, id, 's', 999);
    for (const backend of await t.handles(2)) {
      const results = await appendAll(backend, [again], NOW);
      same(results[0]?.firstSeq, 1, 'first number of a request that came again when 999 events had followed');
    }
    same((await t.backend.readSession(id, NOW))?.lastSeq, 1_000, 'lastSeq after that');
  }),

  sharedCase('events.token.trimmed', 'also when the log is empty', async (t) => {
    const id = await t.createLive();
    const [again, later] = [request(id, [event('s', '1'), event('s', '2')]), request(id, [event('s', '3')])];
    await appendAll(t.backend, [again], NOW);
    await appendAll(t.backend, [later], NOW);
    await trim(t.backend, id, { maxEvents: 2 });
    same(
      (await appendAll(t.backend, [again], NOW))[0]?.firstSeq,
      1,
      'first number of a request that came again when one of its events was trimmed',
    );
    await trim(t.backend, id, { maxEvents: 0 });
    same(
      (await appendAll(t.backend, [again], NOW))[0]?.firstSeq,
      1,
      'first number of a request that came again when its events were trimmed',
    );
    same(
      (await appendAll(t.backend, [later], NOW))[0]?.firstSeq,
      3,
      'first number of the other request that came again',
    );
    const page = await readPage(t.backend, id);
    same([page.events.length, page.lastSeq], [0, 3], 'number of events and lastSeq after that');
  }),

  sharedCase('events.token.race', 'twice at the same time', async (t) => {
    const id = await t.createLive();
    const [handles, [peer]] = [await t.handles(2), await t.peers(1)];
    for (let round = 0; round < 10; round += 1) {
      const again = request(id, [event('s', String(round)), event('s', String(round))]);
      const results = await Promise.all([
        ...handles.map((backend) => appendAll(backend, [again], NOW)),
        peer?.call('appendEvents', [again], NOW).then(answersOf),
      ]);
      const firsts = results.map((result) => result?.[0]?.firstSeq);
      const first = round * 2 + 1;
      same(firsts, [first, first, first], 'first numbers that three calls with one token got');
    }
    same(
      (await t.backend.readSession(id, NOW))?.lastSeq,
      20,
      'lastSeq after 10 requests of 2 events that came three times each',
    );
  }),

  sharedCase('events.token.session', 'the same token in two sessions', async (t) => {
    const token = newToken();
    const [first, second] = [await t.createLive(), await t.createLive()];
    await append(t.backend, second, 's', ['0']);
    const results = await appendAll(t.backend, [request(first, [event('s', '1')], { token })], NOW);
    const others = await appendAll(t.backend, [request(second, [event('s', '1')], { token })], NOW);
    same(
      [results[0]?.firstSeq, others[0]?.firstSeq],
      [1, 2],
      'first numbers of requests with one token in two sessions',
    );
    same((await walkEvents(t.backend, second)).length, 2, 'events of the second session');
  }),
];
