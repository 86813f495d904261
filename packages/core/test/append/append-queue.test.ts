import type { AppendRequest, SessionBackend } from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';
import { codeOf, collect } from '../support/errors.ts';
import { gate, type Overrides } from '../support/intercept.ts';
import { open } from '../support/open.ts';

type Batch = readonly AppendRequest[];

/** Notes each batch as the messages of each of its requests. */
function noting(batches: string[][][], before: (batch: Batch) => Promise<void> = () => Promise.resolve()) {
  return (inner: SessionBackend): Overrides => ({
    async appendEvents(batch, now) {
      batches.push(batch.map(({ events }) => events.map(({ message }) => message)));
      await before(batch);
      return inner.appendEvents(batch, now);
    },
  });
}

describe('appends', () => {
  it('of one tick share a call, in order; a lone one starts at once', async () => {
    const batches: string[][][] = [];
    const { store } = await open({}, noting(batches));
    const [a, b] = [await store.create(), await store.create()];

    await Promise.all([a.events.append('s', 1), b.events.append('s', 2), a.events.append('t', 3)]);
    await a.events.append('s', 4);

    expect(batches).toEqual([[['1', '3'], ['2']], [['4']]]);
  });

  it.each([
    { blocksThread: true, first: [['1', '3'], ['2']] },
    { blocksThread: false, first: [['1']] },
  ])('of one turn of the event loop go in one call where a commit blocks: $blocksThread', async (each) => {
    const { blocksThread, first } = each;
    const batches: string[][][] = [];
    const { store } = await open({}, (inner) => ({
      capabilities: { ...inner.capabilities, blocksThread },
      ...noting(batches)(inner),
    }));
    const [a, b] = [await store.create(), await store.create()];

    const dones = await new Promise<Promise<string>[]>((resolve) => {
      const all: Promise<string>[] = [];
      // Callbacks of one turn, as those of sockets that are ready together: between them the
      // promises that can go on do.
      setImmediate(() => all.push(a.events.append('s', 1)));
      setImmediate(() => all.push(b.events.append('s', 2)));
      setImmediate(() => resolve([...all, a.events.append('t', 3)]));
    });
    await Promise.all(dones);

    expect(batches[0]).toEqual(first);
  });

  it('that arrive during a call share the next one', async () => {
    const { opened, open: goOn } = gate();
    const batches: string[][][] = [];
    const { store } = await open(
      {},
      noting(batches, () => opened),
    );
    const { events } = await store.create();

    const first = events.append('s', 1);
    await Promise.resolve();
    const rest = Array.from({ length: 5 }, (_, n) => events.append('s', n + 2));
    goOn();
    await Promise.all([first, ...rest]);

    expect(batches).toEqual([[['1']], [['2', '3', '4', '5', '6']]]);
  });

  it('of one session are never in two concurrent calls; those of several are, up to concurrentBatches', async () => {
    const running = new Map<string, number>();
    const { opened: together, open: meet } = gate();
    let most = 0;
    const { store } = await open({}, (inner) => ({
      capabilities: { ...inner.capabilities, concurrentBatches: 3, maxBatchEvents: 2 },
      async appendEvents(batch, now) {
        expect(batch.reduce((sum, { events }) => sum + events.length, 0)).toBeLessThanOrEqual(2);
        for (const { sessionId } of batch) {
          expect(running.get(sessionId) ?? 0).toBe(0);
          running.set(sessionId, 1);
        }
        most = Math.max(most, [...running.values()].filter((count) => count > 0).length);
        if (most === 2) meet();
        await together;
        await new Promise((done) => setImmediate(done));
        for (const { sessionId } of batch) running.set(sessionId, 0);
        return inner.appendEvents(batch, now);
      },
    }));
    const sessions = [await store.create(), await store.create()];

    await Promise.all(sessions.flatMap(({ events }) => Array.from({ length: 9 }, (_, n) => events.append('s', n))));

    expect(most).toBe(2);
    const logs = await Promise.all(sessions.map(({ events }) => collect(events.replay())));
    for (const log of logs) expect(log.map(({ message }) => message)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('of one session keep their order however many sessions append meanwhile', async () => {
    const { opened, open: goOn } = gate();
    const batches: string[][][] = [];
    const { store } = await open({}, (inner) => ({
      ...noting(batches, (batch) => (batch[0]?.events[0]?.message === '1' ? opened : Promise.resolve()))(inner),
      capabilities: { ...inner.capabilities, concurrentBatches: 2 },
    }));
    const busy = await store.create();
    const first = busy.events.append('s', 1);
    await Promise.resolve();

    // More than are remembered while nothing of theirs waits.
    for (let session = 0; session < 2_500; session++) await (await store.create()).events.append('s', 'other');
    const second = busy.events.append('s', 2);
    await (await store.create()).events.append('s', 'other');

    expect(batches.flat(2)).not.toContain('2');
    goOn();
    expect(await Promise.all([first, second])).toEqual([
      expect.stringMatching(/^1\./) as string,
      expect.stringMatching(/^2\./) as string,
    ]);
  });

  it('share calls of at most 1 MiB, unless one alone is larger', async () => {
    const sizes: number[] = [];
    const { store } = await open({}, (inner) => ({
      appendEvents(batch, now) {
        sizes.push(batch.flatMap(({ events }) => events).reduce((sum, { bytes }) => sum + bytes, 0));
        return inner.appendEvents(batch, now);
      },
    }));
    const { events } = await store.create();

    await Promise.all(
      [400_000, 400_000, 400_000, 3_000_000, 10].map((size) => events.append('s', 'x'.repeat(size - 2))),
    );

    expect(sizes).toEqual([800_000, 400_000, 3_000_000, 10]);
  });

  it('of sessions that never stop do not delay other sessions', async () => {
    const batches: string[][][] = [];
    const { store } = await open({}, (inner) => ({
      ...noting(batches)(inner),
      capabilities: { ...inner.capabilities, maxBatchEvents: 10 },
    }));
    const busy = [await store.create(), await store.create()];
    const quiet = await store.create();

    const flood = busy.flatMap(({ events }) => Array.from({ length: 100 }, (_, n) => events.append('s', n)));
    await quiet.events.append('s', 'quiet');
    expect(batches[2]?.flat()).toContain('"quiet"');
    await Promise.all(flood);

    for (const { events } of busy) expect(await collect(events.replay())).toHaveLength(100);
  });

  it('to a dead session do not fail the others of their call', async () => {
    const { store } = await open();
    const [dead, live] = [await store.create(), await store.create()];
    await dead.end();

    const outcomes = await Promise.all([
      codeOf(() => dead.events.append('s', 1)),
      codeOf(() => live.events.append('s', 2)),
      codeOf(() => dead.events.append('s', 3)),
    ]);

    expect(outcomes).toEqual(['SESSION_NOT_FOUND', 'none', 'SESSION_NOT_FOUND']);
    expect(await live.events.recent(5)).toHaveLength(1);
  });

  it('of each session get calls of their own if a call may carry one session', async () => {
    const batches: string[][][] = [];
    const { store } = await open({}, (inner) => ({
      ...noting(batches)(inner),
      capabilities: { ...inner.capabilities, maxBatchSessions: 1 },
    }));
    const [a, b] = [await store.create(), await store.create()];

    await Promise.all([a.events.append('s', 1), b.events.append('s', 2), a.events.append('t', 3)]);

    expect(batches).toEqual([[['1', '3']], [['2']]]);
  });
});
