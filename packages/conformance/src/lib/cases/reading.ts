import { appendAll, append, event, fill, NOW, range, readPage, request, seqs, trim, walkEvents } from '../actions.ts';
import { sharedCase, type Case } from '../case.ts';
import { holds, present, same } from '../findings.ts';

export const readingCases: readonly Case[] = [
  sharedCase('events.read.after', 'strictly after, oldest first', async (t) => {
    const id = await t.createLive();
    const page = await readPage(t.backend, id);
    same([page.events, page.more, page.lastSeq, page.trimmedSeq], [[], false, 0, 0], 'page of an empty log');
    await fill(t.backend, id, 's', 5);
    for (const backend of await t.handles(2)) {
      for (const afterSeq of range(0, 6)) {
        const page = await readPage(backend, id, { afterSeq });
        same(seqs(page.events), range(afterSeq + 1, 5), `numbers of a page after ${afterSeq} of 5`);
        same([page.lastSeq, page.more], [5, false], `lastSeq and more of a page after ${afterSeq} of 5`);
      }
    }
  }),

  sharedCase('events.read.newest', 'the last ones, oldest first', async (t) => {
    const id = await t.createLive();
    const newest = async (limit: number, streamId: string | undefined, maxBytes = 1_000) => {
      const query = { sessionId: id, streamId, afterSeq: undefined, limit, maxBytes };
      const page = present(await t.backend.readEvents(query, NOW), 'readEvents of a live session');
      same([page.more, page.afterStreamId], [false, undefined], 'more and afterStreamId of a page without afterSeq');
      return seqs(page.events);
    };
    same(await newest(3, undefined), [], 'newest 3 of an empty log');
    for (let index = 0; index < 10; index += 1) {
      await append(t.backend, id, index % 2 === 0 ? 'even' : 'odd', ['12345']);
    }
    same(await newest(3, undefined), [8, 9, 10], 'newest 3 of 10');
    same(await newest(20, undefined), range(1, 10), 'newest 20 of 10');
    same(await newest(2, 'even'), [7, 9], 'newest 2 of a stream');
    same(await newest(2, 'none'), [], 'newest 2 of a stream that has none');
    same(await newest(10, undefined, 15), [8, 9, 10], 'newest of 5 bytes each, at most 15 bytes');
    same(await newest(10, undefined, 14), [9, 10], 'newest of 5 bytes each, at most 14 bytes');
    same(await newest(10, undefined, 1), [10], 'newest of 5 bytes each, at most 1 byte');
  }),

  sharedCase('events.read.limit', 'never longer, and never the last without saying so', async (t) => {
    const id = await t.createLive();
    await fill(t.backend, id, 's', 10);
    for (const limit of [1, 3, 9, 10, 11]) {
      const page = await readPage(t.backend, id, { limit });
      same(seqs(page.events), range(1, Math.min(limit, 10)), `numbers of a page of at most ${limit} of 10`);
      holds(page.more || limit >= 10, `a page of ${limit} of 10 events says that there is no more`);
      same(page.lastSeq, 10, 'lastSeq of a page that ends before it');
    }
  }),

  sharedCase('events.read.bytes', 'never heavier, but never empty', async (t) => {
    const id = await t.createLive();
    // 10 bytes each: the emoji has 4 bytes and a length of 2 in JavaScript.
    const messages = range(0, 5).map((index) => `"\u{1F600}${index}123"`);
    same(Buffer.byteLength(messages[0] ?? ''), 10, 'bytes of the messages that the case made');
    await append(t.backend, id, 's', messages);
    for (const [maxBytes, count] of [
      [1, 1],
      [9, 1],
      [10, 1],
      [19, 1],
      [20, 2],
      [35, 3],
      [60, 6],
    ] as const) {
      const page = await readPage(t.backend, id, { maxBytes });
      same(
        seqs(page.events),
        range(1, count),
        `numbers of a page of at most ${maxBytes} bytes, of 6 events of 10 bytes`,
      );
      holds(page.more || count === 6, `a page of ${count} of 6 events says that there is no more`);
    }
    same(seqs(await walkEvents(t.backend, id, { maxBytes: 15 })), range(1, 6), 'a walk by pages of at most 15 bytes');
  }),

  sharedCase('events.read.pages', 'complete over thousands of events', async (t) => {
    const id = await t.createLive();
    const most = Math.min(t.capabilities.maxBatchEvents, 500);
    for (let from = 1; from <= 2_500; from += most) {
      const events = range(from, Math.min(from + most - 1, 2_500)).map((n) =>
        event(n % 2 === 0 ? 'even' : 'odd', String(n)),
      );
      await appendAll(t.backend, [request(id, events)], NOW);
    }
    for (const limit of [7, 100, 1_000, 5_000]) {
      same(
        seqs(await walkEvents(t.backend, id, { limit })),
        range(1, 2_500),
        `a walk over 2,500 events by pages of ${limit}`,
      );
    }
    const odd = range(1, 1_250).map((index) => index * 2 - 1);
    same(seqs(await walkEvents(t.backend, id, { streamId: 'odd', limit: 100 })), odd, 'a walk over one of two streams');
    same(
      seqs(await walkEvents(t.backend, id, { afterSeq: 1_234, limit: 100 })),
      range(1_235, 2_500),
      'a walk from the middle',
    );
  }),

  sharedCase('events.read.pages', 'complete over megabytes', async (t) => {
    const id = await t.createLive();
    const message = JSON.stringify('x'.repeat(300_000));
    for (let n = 0; n < 12; n += 1) await append(t.backend, id, n % 3 === 0 ? 'third' : 's', [message]);
    for (const maxBytes of [1, 1_000_000, 50_000_000]) {
      const events = await walkEvents(t.backend, id, { maxBytes });
      same(seqs(events), range(1, 12), `a walk over 12 events of 300 kB by pages of at most ${maxBytes} bytes`);
      holds(
        events.every((row) => row.message === message),
        'a message of 300 kB did not come back as it was written',
      );
    }
    same(
      seqs(await walkEvents(t.backend, id, { streamId: 'third', maxBytes: 500_000 })),
      [1, 4, 7, 10],
      'a walk over one of two streams',
    );
  }),

  sharedCase('events.read.stream', 'streams whose names are alike', async (t) => {
    const id = await t.createLive();
    const streams = [
      'a',
      'A',
      'a.b',
      'a%',
      '_',
      'a_',
      'ab',
      "a'",
      '%',
      'a'.repeat(254),
      'a'.repeat(255),
      '_GET_stream',
    ];
    for (let round = 0; round < 3; round += 1) {
      for (const stream of streams) await append(t.backend, id, stream, [`"${round}"`]);
    }
    for (const [index, streamId] of streams.entries()) {
      const promised = range(0, 2).map((round) => round * streams.length + index + 1);
      same(seqs(await walkEvents(t.backend, id, { streamId })), promised, `numbers of the stream ${streamId}`);
      same(
        seqs(await walkEvents(t.backend, id, { streamId, limit: 1 })),
        promised,
        `numbers of the stream ${streamId}, one by one`,
      );
      same(
        seqs((await readPage(t.backend, id, { streamId, afterSeq: streams.length })).events),
        promised.slice(1),
        `numbers of the stream ${streamId} after a round`,
      );
    }
    same(seqs(await walkEvents(t.backend, id, { streamId: 'b' })), [], 'numbers of a stream that has no events');
    same(
      (await readPage(t.backend, id, { streamId: 'b' })).lastSeq,
      3 * streams.length,
      'lastSeq of a page of a stream that has no events',
    );
  }),

  sharedCase('events.read.session', 'two sessions, one name of a stream', async (t) => {
    const stem = t.id();
    const [first, second] = [await t.createLive({ id: stem }), await t.createLive({ id: `${stem}2` })];
    await append(t.backend, first, '_GET_stream', ['"first"']);
    await append(t.backend, second, '_GET_stream', ['"second"', '"third"']);
    for (const streamId of [undefined, '_GET_stream']) {
      const walk = streamId === undefined ? {} : { streamId };
      same(
        (await walkEvents(t.backend, first, walk)).map((row) => row.message),
        ['"first"'],
        'messages of one of two sessions',
      );
      same(
        (await walkEvents(t.backend, second, walk)).map((row) => row.message),
        ['"second"', '"third"'],
        'messages of the other',
      );
    }
    await trim(t.backend, first, { maxEvents: 0 });
    same((await readPage(t.backend, second)).trimmedSeq, 0, 'trimmedSeq of a session after a trim of another');
    same((await walkEvents(t.backend, second)).length, 2, 'events of a session after a trim of another');
  }),

  sharedCase('events.read.cursor', 'of which stream the event is', async (t) => {
    const id = await t.createLive();
    for (const stream of ['a', 'b', 'a']) await append(t.backend, id, stream, ['1']);
    const of = async (afterSeq: number, streamId?: string) =>
      (await readPage(t.backend, id, streamId === undefined ? { afterSeq } : { afterSeq, streamId })).afterStreamId;
    const all = await Promise.all(range(0, 4).map((seq) => of(seq)));
    same(all, [undefined, 'a', 'b', 'a', undefined], 'afterStreamId of 0, 1, 2, 3 and 4 in a log of 3');
    same(await of(2, 'a'), 'b', 'afterStreamId where the event is not of the stream that is read');
    same(await of(2, 'c'), 'b', 'afterStreamId where the stream that is read has no events');
    await trim(t.backend, id, { maxEvents: 1 });
    same(
      [await of(1), await of(2), await of(3)],
      [undefined, undefined, 'a'],
      'afterStreamId of 1, 2 and 3 when 1 and 2 were trimmed',
    );
  }),
];
