import { append, fill, NOW, range, readPage, seqs, trim, walkEvents } from '../actions.ts';
import { sharedCase, type Case, type CaseContext } from '../case.ts';
import { same } from '../findings.ts';

async function left(t: CaseContext, id: string): Promise<number[]> {
  return seqs(await walkEvents(t.backend, id));
}

export const trimCases: readonly Case[] = [
  sharedCase('events.trim.count', 'both sides of the bound', async (t) => {
    const id = await t.createLive();
    same(await trim(t.backend, id, { maxEvents: 0 }), 0, 'trimEvents of an empty log');
    await fill(t.backend, id, 's', 10);
    for (const [maxEvents, removed] of [
      [11, 0],
      [10, 0],
      [7, 3],
      [7, 0],
      [1, 6],
      [0, 1],
    ] as const) {
      same(await trim(t.backend, id, { maxEvents }), removed, `number that trimEvents removed to keep ${maxEvents}`);
      same(
        await left(t, id),
        range(11 - Math.min(maxEvents, 10), 10),
        `numbers left after a trim that keeps ${maxEvents}`,
      );
    }
  }),

  sharedCase('events.trim.bytes', 'both sides of the bound, in bytes of UTF-8', async (t) => {
    const id = await t.createLive();
    await append(t.backend, id, 's', ['"\u{1F600}"', '"\u{1F600}"', '22', '333', '1']);
    for (const [maxBytes, promised] of [
      [18, [1, 2, 3, 4, 5]],
      [17, [2, 3, 4, 5]],
      [12, [2, 3, 4, 5]],
      [11, [3, 4, 5]],
      [4, [4, 5]],
      [3, [5]],
      [0, []],
    ] as const) {
      await trim(t.backend, id, { maxBytes });
      same(
        await left(t, id),
        promised,
        `numbers left of events of 6, 6, 2, 3 and 1 bytes after a trim that keeps ${maxBytes} bytes`,
      );
    }
  }),

  sharedCase('events.trim.age', 'both sides of the bound', async (t) => {
    const id = await t.createLive();
    for (const now of [NOW, NOW + 10, NOW + 10, NOW + 20]) await append(t.backend, id, 's', ['1'], now);
    for (const [after, removed] of [
      [0, 0],
      [1, 1],
      [10, 0],
      [11, 2],
      [20, 0],
      [21, 1],
    ] as const) {
      same(
        await trim(t.backend, id, { createdBefore: NOW + after }),
        removed,
        `number that trimEvents removed of what is older than ${after} ms`,
      );
    }
    same(await left(t, id), [], 'numbers left when all are too old');
  }),

  sharedCase('events.trim.through', 'that number included', async (t) => {
    const id = await t.createLive();
    await fill(t.backend, id, 's', 5);
    for (const [throughSeq, promised] of [
      [0, [1, 2, 3, 4, 5]],
      [2, [3, 4, 5]],
      [1, [3, 4, 5]],
      [9, []],
    ] as const) {
      await trim(t.backend, id, { throughSeq });
      same(await left(t, id), promised, `numbers left after a trim through ${throughSeq} of 5`);
    }
    same(
      await append(t.backend, id, 's', ['1']),
      6,
      'number of the event after a trim through a number from the future',
    );
  }),

  sharedCase('events.trim.any', 'the tightest bound counts', async (t) => {
    const bounds = [
      { maxEvents: 3, maxBytes: 100, createdBefore: NOW, throughSeq: 1 },
      { maxEvents: 9, maxBytes: 3, createdBefore: NOW, throughSeq: 1 },
      { maxEvents: 9, maxBytes: 100, createdBefore: NOW + 7, throughSeq: 1 },
      { maxEvents: 9, maxBytes: 100, createdBefore: NOW, throughSeq: 7 },
    ];
    for (const bound of bounds) {
      const id = await t.createLive();
      for (let n = 0; n < 10; n += 1) await append(t.backend, id, 's', ['1'], NOW + n);
      same(await trim(t.backend, id, bound), 7, `number that trimEvents removed by ${JSON.stringify(bound)}`);
      same(await left(t, id), [8, 9, 10], 'numbers left after a trim by several bounds');
    }
    const id = await t.createLive();
    await fill(t.backend, id, 's', 3);
    same(await trim(t.backend, id, {}), 0, 'number that trimEvents removed without any bound');
  }),

  sharedCase('events.trim.limit', 'in steps', async (t) => {
    const id = await t.createLive();
    await fill(t.backend, id, 's', 10);
    for (const [removed, from] of [
      [4, 5],
      [4, 9],
      [1, 10],
      [0, 10],
    ] as const) {
      same(await trim(t.backend, id, { maxEvents: 1, limit: 4 }), removed, 'number that a step of at most 4 removed');
      same(await left(t, id), range(from, 10), 'numbers left after a step of at most 4');
      same((await readPage(t.backend, id)).trimmedSeq, from - 1, 'trimmedSeq after a step of at most 4');
    }
  }),
];
