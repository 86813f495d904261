import type { EventRow } from '@mcp-session/core/backend';
import { appendAll, append, event, NOW, range, readPage, request, seqs, track, trim, walkEvents } from '../actions.ts';
import { sharedCase, type Case, type CaseContext } from '../case.ts';
import { holds, same } from '../findings.ts';
import { writerMessage, type Command } from '../commands.ts';

interface Writers {
  /** Resolves with the numbers that each writer got, in the order of its appends. */
  readonly done: Promise<readonly (readonly (number | undefined)[])[]>;
  readonly names: readonly string[];
}

/** Starts 16 writers: four for each of two handles and two other processes. */
async function startWriters(t: CaseContext, sessionId: string, count: number): Promise<Writers> {
  const [handles, peers] = [await t.handles(2), await t.peers(2)];
  const names = range(1, 16).map((index) => `w${index}`);
  const command = (writer: string): Command & { do: 'append' } => ({
    do: 'append',
    sessionId,
    writer,
    count,
    now: NOW,
  });
  const runs = names.map(async (writer, index) => {
    const peer = index % 4 < 2 ? undefined : peers[index % 2];
    if (peer !== undefined) return (await peer.run(command(writer))) as (number | undefined)[];
    const numbers: (number | undefined)[] = [];
    for (const n of range(0, count - 1)) {
      numbers.push(await append(handles[index % 2] ?? t.backend, sessionId, writer, [writerMessage(writer, n)]));
    }
    return numbers;
  });
  return { done: Promise.all(runs), names };
}

/**
 * Fails unless the log has each writer's messages once, in their order, with the numbers that it
 * got.
 */
function check(
  log: readonly EventRow[],
  names: readonly string[],
  given: Awaited<Writers['done']>,
  what: string,
): void {
  for (const [index, writer] of names.entries()) {
    const own = log.filter((row) => row.streamId === writer);
    const numbers = given[index] ?? [];
    same(seqs(own), numbers, `numbers of one writer ${what}, against those that it got`);
    same(
      own.map((row) => row.message),
      numbers.map((_, n) => writerMessage(writer, n)),
      `messages of one writer ${what}`,
    );
  }
}

export const concurrencyCases: readonly Case[] = [
  sharedCase('events.append.concurrent', '16 writers, no hole, nothing twice', async (t) => {
    const id = await t.createLive();
    const { done, names } = await startWriters(t, id, 20);
    const given = await done;
    const log = await walkEvents(t.backend, id);
    same(seqs(log), range(1, 320), 'numbers after 16 writers appended 20 events each at the same time');
    check(log, names, given, 'of 16');
  }),

  sharedCase('events.append.concurrent', 'calls for the same sessions in opposite order', async (t) => {
    const ids = await Promise.all(range(1, 6).map(() => t.createLive()));
    const handles = await t.handles(2);
    const call = async (index: number) => {
      const order = index % 2 === 0 ? ids : ids.toReversed();
      const results = await appendAll(
        handles[index % 2] ?? t.backend,
        order.map((id) => request(id, [event('s', '1'), event('s', '2')])),
        NOW,
      );
      holds(
        results.every((result) => result !== undefined),
        'appendEvents for several live sessions gave undefined for one',
      );
    };
    await Promise.all(range(1, 20).map(call));
    for (const id of ids) {
      same(seqs(await walkEvents(t.backend, id)), range(1, 40), 'numbers after 20 calls at the same time');
    }
  }),

  sharedCase('events.append.visible', 'a reader that follows 16 writers', async (t) => {
    const id = await t.createLive();
    const { done, names } = await startWriters(t, id, 25);
    const writing = track(done);
    const [, reader = t.backend] = await t.handles(2);
    const seen: EventRow[] = [];
    const follow = (async () => {
      let afterSeq = 0;
      for (let last = false; !last;) {
        last = !writing.running;
        for (let more = true; more;) {
          const page = await readPage(reader, id, { afterSeq, limit: 50 });
          seen.push(...page.events);
          more = page.more;
          // Like core: a page without `more` covers all numbers up to its lastSeq.
          afterSeq = more ? (page.events.at(-1)?.seq ?? afterSeq) : page.lastSeq;
        }
        await new Promise(setImmediate);
      }
    })();
    const [, numbers] = await Promise.all([follow, writing.result]);
    same(
      seqs(seen),
      range(1, 400),
      'numbers that a reader saw that followed the log while 16 writers appended 25 events each',
    );
    check(seen, names, numbers, 'as the reader saw them');
  }),

  sharedCase('events.append.visible', 'every event below one that a reader saw is there', async (t) => {
    const id = await t.createLive();
    const { done } = await startWriters(t, id, 10);
    const writing = track(done);
    const check = (async () => {
      while (writing.running) {
        const page = await readPage(t.backend, id);
        same(seqs(page.events), range(1, page.events.length), 'numbers of the whole log, read while others append');
        const head = (await t.backend.readHeads([id], NOW)).get(id)?.lastSeq ?? 0;
        const after = await walkEvents(t.backend, id);
        holds(
          after.length >= head,
          `a head says that ${head} is the newest number, but a read after it ends at ${after.length}`,
        );
        await new Promise(setImmediate);
      }
    })();
    await Promise.all([writing.result, check]);
  }),

  sharedCase('events.trim.quiet', 'a reader that follows one stream while another is trimmed', async (t) => {
    const id = await t.createLive();
    const [peer] = await t.peers(1);
    const busy = Promise.resolve(peer?.run({ do: 'append', sessionId: id, writer: 'busy', count: 60, now: NOW }));
    const writing = track(busy);
    await append(t.backend, id, 'quiet', ['"first"']);
    const cursor = (await walkEvents(t.backend, id, { streamId: 'quiet' })).at(-1)?.seq ?? 0;
    while (writing.running) {
      await trim(t.backend, id, { maxEvents: 2 });
      const page = await readPage(t.backend, id, { streamId: 'quiet', afterSeq: cursor });
      holds(
        page.trimmedSeq <= cursor,
        `the horizon of a quiet stream is ${page.trimmedSeq}, though its only event is ${cursor}`,
      );
      await new Promise(setImmediate);
    }
    await writing.result;
  }),
];
