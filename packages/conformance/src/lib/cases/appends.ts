import {
  appendAll,
  append,
  event,
  fill,
  HOUR,
  MIB,
  NOW,
  range,
  readPage,
  request,
  seqs,
  trim,
  walkEvents,
} from '../actions.ts';
import { sharedCase, type Case } from '../case.ts';
import { holds, same } from '../findings.ts';
import { eventRow } from './rows.ts';

const oddMessages = [
  '{}',
  'null',
  '0',
  '""',
  '"\\u0000"',
  '"\\ud800"',
  '"\u{1F600}\u2028"',
  '{"b":1,"a":2}',
  '{"a":1,"a":2}',
  ' [ 1.0 , 1e400 ] ',
  '12345678901234567890123',
];

export const appendCases: readonly Case[] = [
  sharedCase('events.append.numbers', 'one count for all streams', async (t) => {
    const id = await t.createLive();
    const handles = await t.handles(2);
    const firsts: (number | undefined)[] = [];
    for (const [index, count] of [1, 3, 1, 2].entries()) {
      const messages = Array.from({ length: count }, () => '1');
      firsts.push(await append(handles[index % 2] ?? t.backend, id, `s${index % 3}`, messages));
    }
    same(firsts, [1, 2, 5, 6], 'first numbers of requests with 1, 3, 1 and 2 events on three streams');
    same(seqs(await walkEvents(t.backend, id)), range(1, 7), 'numbers in the log');
    const another = await t.createLive();
    same(await append(t.backend, another, 's0', ['1']), 1, 'first number of another session');
  }),

  sharedCase('events.append.row', 'byte for byte, with the time of the call', async (t) => {
    const id = await t.createLive();
    const stream = `a.b%_'"\\~!`;
    for (const [index, message] of oddMessages.entries()) await append(t.backend, id, stream, [message], NOW + index);
    const promised = oddMessages.map((message, index) => ({
      seq: index + 1,
      streamId: stream,
      message,
      createdAt: NOW + index,
    }));
    same((await walkEvents(t.backend, id)).map(eventRow), promised, 'events of the whole log');
    same((await walkEvents(t.backend, id, { streamId: stream })).map(eventRow), promised, 'events of their stream');
  }),

  sharedCase('events.append.large', 'up to what the capabilities name', async (t) => {
    const id = await t.createLive();
    const sizes = [...new Set([MIB, Math.min(t.capabilities.maxEventBytes, 4 * MIB)])];
    for (const [index, size] of sizes.entries()) {
      const body = '\u{1F600}\u00e1 \\"'.repeat(Math.floor((size - 2) / 9));
      const message = `"${body}${'x'.repeat(size - 2 - Buffer.byteLength(body))}"`;
      same(Buffer.byteLength(message), size, 'bytes of the message that the case made');
      same(await append(t.backend, id, 's', [message]), index + 1, `number of an event of ${size} bytes`);
      const page = await readPage(t.backend, id, { afterSeq: index });
      holds(page.events[0]?.message === message, `an event of ${size} bytes did not come back as it was written`);
    }
    same(await append(t.backend, id, 's', ['1']), sizes.length + 1, 'number of the event after large ones');
  }),

  sharedCase('events.append.order', 'one request, several streams', async (t) => {
    const id = await t.createLive();
    await append(t.backend, id, 'x', ['0']);
    const events = range(1, 30).map((index) => event(`s${index % 4}`, String(index)));
    const results = await appendAll(t.backend, [request(id, events)], NOW);
    same(results[0]?.firstSeq, 2, 'first number of a request of 30 events after one event');
    const log = await walkEvents(t.backend, id, { afterSeq: 1 });
    same(
      log.map((row) => [row.seq, row.message]),
      range(1, 30).map((index) => [index + 1, String(index)]),
      'numbers and messages of a request',
    );
  }),

  sharedCase('events.append.sessions', 'each in its place, the dead ones without harm', async (t) => {
    const ids = [t.id('c'), t.id('a'), t.id('e'), t.id('b'), t.id('d')];
    const [first = '', expired = '', second = '', unknown = '', ended = ''] = ids;
    for (const id of [first, second, ended]) await t.createLive({ id });
    await t.createLive({ id: expired, expiresAt: NOW + 10 });
    await t.backend.endSession(ended, NOW + HOUR, NOW);
    await append(t.backend, second, 's', ['0', '0']);
    const batch = [first, expired, second, unknown, ended].map((id) =>
      request(id, [event('s', `"${id}"`), event('s', '2')]),
    );
    const results = await appendAll(t.backend, batch, NOW + 10);
    const firsts = results.map((result) => result?.firstSeq);
    same(
      firsts,
      [1, undefined, 3, undefined, undefined],
      'first numbers of a live, an expired, a live, an unknown and an ended session',
    );
    same(
      (await walkEvents(t.backend, first)).map((row) => row.message),
      [`"${first}"`, '2'],
      'events of the first session of the call',
    );
    same(
      (await walkEvents(t.backend, second, { afterSeq: 2 })).map((row) => row.message),
      [`"${second}"`, '2'],
      'events of the third session of the call',
    );
  }),

  sharedCase('events.append.batch', 'as many events as the capabilities name', async (t) => {
    const count = Math.min(t.capabilities.maxBatchEvents, 2_000);
    const ids = await Promise.all(range(1, Math.min(count, 20)).map(() => t.createLive()));
    const each = Math.floor(count / ids.length);
    const batch = ids.map((id) =>
      request(
        id,
        range(1, each).map((index) => event('s', String(index))),
      ),
    );
    const results = await appendAll(t.backend, batch, NOW);
    same(
      results.map((result) => result?.firstSeq),
      ids.map(() => 1),
      `first numbers of a call of ${count} events for ${ids.length} sessions`,
    );
    for (const id of ids) same(seqs(await walkEvents(t.backend, id)), range(1, each), 'numbers of one of the sessions');
  }),

  sharedCase('events.append.retained', 'events and bytes after it', async (t) => {
    const id = await t.createLive();
    const held = async (messages: readonly string[]) => {
      const results = await appendAll(
        t.backend,
        [
          request(
            id,
            messages.map((message) => event('s', message)),
          ),
        ],
        NOW,
      );
      return [results[0]?.retainedEvents, results[0]?.retainedBytes];
    };
    same(await held(['1', '"\u{1F600}"']), [2, 7], 'retained events and bytes after 2 events of 1 and 6 bytes');
    same(await held(['333']), [3, 10], 'retained events and bytes after one more of 3 bytes');
    await trim(t.backend, id, { maxEvents: 2 });
    same(
      await held(['4']),
      [3, 10],
      'retained events and bytes after one of 1 byte was trimmed and one of 1 byte came',
    );
    await trim(t.backend, id, { maxEvents: 0 });
    same(await held(['55']), [1, 2], 'retained events and bytes after a trim of all and one of 2 bytes');
  }),

  sharedCase('events.append.retained', 'of each session of a call', async (t) => {
    const ids = await Promise.all(range(1, 3).map(() => t.createLive()));
    const batch = ids.map((id, index) =>
      request(
        id,
        range(0, index).map((n) => event('s', `"${'x'.repeat(n)}"`)),
      ),
    );
    await append(t.backend, ids[0] ?? '', 's', ['1']);
    const results = await appendAll(t.backend, batch, NOW);
    const held = results.map((result) => [result?.retainedEvents, result?.retainedBytes]);
    same(
      held,
      [
        [2, 3],
        [2, 5],
        [3, 9],
      ],
      'retained events and bytes of three sessions of one call',
    );
  }),

  sharedCase('events.numbers.reuse-never', 'after trims, in an empty log, elsewhere', async (t) => {
    const id = await t.createLive();
    const [first = t.backend, second = t.backend] = await t.handles(2);
    await fill(first, id, 's', 10);
    await trim(first, id, { maxEvents: 3 });
    same(await append(first, id, 's', ['1']), 11, 'number of the event after 10 of which 7 were trimmed');
    same(await trim(first, id, { maxEvents: 0 }), 4, 'number of events that a trim of all removed');
    same((await readPage(first, id)).lastSeq, 11, 'lastSeq of an empty log');
    same(await append(second, id, 's', ['1']), 12, 'number of the event after a trim of all, on another handle');
    await trim(second, id, { throughSeq: 12 });
    same(await append(first, id, 's2', ['1']), 13, 'number of the event after a second trim of all');
    same((await first.readSession(id, NOW))?.lastSeq, 13, 'lastSeq of the session');
  }),
];
