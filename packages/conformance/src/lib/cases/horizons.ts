import {
  appendAll,
  append,
  event,
  fill,
  HOUR,
  NOW,
  range,
  readPage,
  request,
  seqs,
  track,
  trim,
  walkEvents,
} from '../actions.ts';
import { sharedCase, type Case } from '../case.ts';
import { holds, same } from '../findings.ts';

export const horizonCases: readonly Case[] = [
  sharedCase('events.trim.oldest', 'among appends from elsewhere', async (t) => {
    const id = await t.createLive();
    const peers = await t.peers(2);
    const writing = track(
      Promise.all(
        peers.map((peer, index) => peer.run({ do: 'append', sessionId: id, writer: `w${index}`, count: 60, now: NOW })),
      ),
    );
    const bound = { maxEvents: 5, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 3 };
    const trimming = (async () => {
      while (writing.running) await peers[1]?.call('trimEvents', id, bound, NOW);
    })();
    const reading = (async () => {
      while (writing.running) {
        const page = await readPage(t.backend, id);
        const numbers = seqs(page.events);
        // A page that says that there is more may end before what is not visible yet.
        const last = page.more ? Math.min(numbers.at(-1) ?? page.trimmedSeq, page.lastSeq) : page.lastSeq;
        same(
          numbers,
          range(page.trimmedSeq + 1, last),
          'numbers in a log that is trimmed and written to meanwhile: from the horizon to the newest',
        );
        await new Promise(setImmediate);
      }
    })();
    await Promise.all([writing.result, trimming, reading]);
    while ((await trim(t.backend, id, { maxEvents: 5, limit: 50 })) === 50) continue;
    same(
      seqs(await walkEvents(t.backend, id)),
      range(116, 120),
      'numbers left after 120 appends and trims that keep 5',
    );
  }),

  sharedCase('events.trim.oldest', 'also when clocks went back', async (t) => {
    const id = await t.createLive({ expiresAt: NOW + HOUR });
    for (const after of [0, 30, 10, 40]) await append(t.backend, id, 's', ['1'], NOW + after);
    await trim(t.backend, id, { createdBefore: NOW + 20 });
    const numbers = seqs(await walkEvents(t.backend, id));
    same(
      numbers,
      range(5 - numbers.length, 4),
      'numbers left of events at 0, 30, 10 and 40 ms after a trim of what is older than 20 ms: no hole',
    );
    holds(
      numbers.length > 0 && numbers.length < 4,
      'a trim by age took all events or none, where the first is too old and the last is not',
    );
  }),

  sharedCase('events.trim.horizon', 'of the log and of each stream', async (t) => {
    const id = await t.createLive();
    for (const stream of ['a', 'b', 'a', 'c', 'b']) await append(t.backend, id, stream, ['1']);
    const horizons = async () => {
      const [first = t.backend, second = t.backend] = await t.handles(2);
      const pages = [
        await readPage(second, id),
        ...(await Promise.all(['a', 'b', 'c', 'd'].map((streamId) => readPage(first, id, { streamId })))),
      ];
      return pages.map((page) => page.trimmedSeq);
    };
    same(await horizons(), [0, 0, 0, 0, 0], 'trimmedSeq of the log and of the streams a, b, c and d before a trim');
    await trim(t.backend, id, { maxEvents: 3 });
    same(
      await horizons(),
      [2, 1, 2, 0, 0],
      'trimmedSeq of the log and of the streams a, b, c and d after a trim of 1 and 2',
    );
    await trim(t.backend, id, { maxEvents: 0 });
    same(
      await horizons(),
      [5, 3, 5, 4, 0],
      'trimmedSeq of the log and of the streams a, b, c and d after a trim of all',
    );
    for (const afterSeq of [0, 3, 5]) {
      same(
        (await readPage(t.backend, id, { afterSeq, streamId: 'a' })).trimmedSeq,
        3,
        `trimmedSeq of the stream a, read after ${afterSeq}`,
      );
    }
    const newest = await t.backend.readEvents(
      { sessionId: id, streamId: 'b', afterSeq: undefined, limit: 1, maxBytes: 10 },
      NOW,
    );
    same(newest?.trimmedSeq, 5, 'trimmedSeq of the newest of the stream b');
  }),

  sharedCase('events.trim.quiet', 'one event behind a thousand', async (t) => {
    const id = await t.createLive();
    await append(t.backend, id, 'busy', ['1']);
    await append(t.backend, id, 'quiet', ['"kept"']);
    await fill(t.backend, id, 'busy', 1_000);
    await trim(t.backend, id, { throughSeq: 1 });
    const before = await readPage(t.backend, id, { streamId: 'quiet' });
    same(
      [before.trimmedSeq, seqs(before.events)],
      [0, [2]],
      'trimmedSeq and numbers of a quiet stream after a trim of a busy one',
    );
    await trim(t.backend, id, { maxEvents: 10, limit: 5_000 });
    await append(t.backend, id, 'quiet', ['"new"']);
    const after = await readPage(t.backend, id, { streamId: 'quiet', afterSeq: 2 });
    same(
      [after.trimmedSeq, seqs(after.events)],
      [2, [1_003]],
      'trimmedSeq and numbers of a quiet stream, read after its only event that was trimmed',
    );
  }),

  sharedCase('events.trim.streams', '10,500 streams', async (t) => {
    const id = await t.createLive();
    const most = Math.min(t.capabilities.maxBatchEvents, 500);
    for (let from = 1; from <= 10_500; from += most) {
      const events = range(from, Math.min(from + most - 1, 10_500)).map((n) => event(`s${n}`, '1'));
      await appendAll(t.backend, [request(id, events)], NOW);
    }
    while ((await trim(t.backend, id, { maxEvents: 0, limit: 1_000 })) === 1_000) continue;
    for (const n of [501, 502, 1_000, 5_000, 10_499, 10_500]) {
      same(
        (await readPage(t.backend, id, { streamId: `s${n}` })).trimmedSeq,
        n,
        `trimmedSeq of the stream whose only event was ${n}`,
      );
    }
    for (const n of [1, 250, 500]) {
      const { trimmedSeq } = await readPage(t.backend, id, { streamId: `s${n}` });
      holds(
        trimmedSeq >= n,
        `trimmedSeq of the stream whose only event was ${n}, and whose trim may be forgotten, is ${trimmedSeq}`,
      );
    }
    const never = (await readPage(t.backend, id, { streamId: 'never' })).trimmedSeq;
    holds(
      never <= 500,
      `trimmedSeq of a stream that never had events is ${never}, where at most the first 500 streams may be forgotten`,
    );
  }),
];
