import { createMemoryStore } from '@mcp-session/core/memory';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Line } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { places, Play, type Stream } from '../support/listening.ts';

/** For a connection that counts as old when it is closed. */
const SETTLED = { keepAliveMs: 20, leaseMs: 4_500 };
const SETTLED_AFTER_MS = 40;
/** For one that does not. */
const YOUNG = { keepAliveMs: 60_000, leaseMs: 1_500 };

// Neither SDK line has a part in it: each has its turn.
describe.each(places.map(([place, open], index) => ({ line: lines[index % 2] as Line, place, open })))(
  'generations of the standalone stream, $place',
  { timeout: 30_000 },
  ({ line, open }) => {
    it('messages written to a dead connection arrive with its cursor, even after another stream was opened without one', async () => {
      const play = await Play.begin(open, line, SETTLED);
      const [one, two] = [play.stream(), play.stream()];
      await one.open();
      await play.say();
      await one.hear();
      await play.say();
      await one.lose();
      await pause(SETTLED_AFTER_MS);
      await play.cut(one);
      expect(await two.open()).toBe(200);
      await play.say();
      await two.hear();
      // While the other one is open, and again until nothing is left.
      expect(await one.open()).toBe(200);
      await one.toEnd();
      expect(await one.open()).toBe(409);
      await play.say();
      await two.hear();
      expect([one.told, two.told]).toEqual([
        [1, 2],
        [3, 4],
      ]);
      await two.cut();
    });

    it('each of two streams gets its own messages, and the first to return continues', async () => {
      for (const options of [SETTLED, YOUNG]) {
        const play = await Play.begin(open, line, options);
        const [one, two] = [play.stream(), play.stream()];
        await one.open();
        await play.say();
        await one.hear();
        await pause(options === SETTLED ? SETTLED_AFTER_MS : 0);
        await play.cut(one);
        await play.say();
        await two.open();
        // Nobody knows whether a client without a cursor has got what was written to a young
        // connection.
        if (options === YOUNG) await two.lose();
        await two.hear();
        await play.say();
        await two.lose();
        await pause(options === SETTLED ? SETTLED_AFTER_MS : 0);
        await play.cut(two);
        expect(await one.open()).toBe(200);
        await play.say();
        await one.hear();
        expect(await two.open()).toBe(200);
        await two.toEnd();
        expect([one.told, two.told]).toEqual([
          [1, 4],
          [2, 3],
        ]);
        await one.cut();
      }
    });

    it('a stream that returns without a cursor gets what was written to it, even if another one was opened meanwhile', async () => {
      for (const isFirst of [true, false]) {
        const play = await Play.begin(open, line, YOUNG);
        const [one, two] = [play.stream(), play.stream()];
        await one.open();
        await play.cut(one);
        await two.open(false);
        await play.say();
        await two.lose();
        await play.cut(two);
        const again = play.stream();
        for (const stream of isFirst ? [again, one] : [one, again]) expect([200, 409]).toContain(await stream.open());
        await play.say();
        if (isFirst) {
          await again.hear();
          await again.hear();
        } else {
          await again.toEnd();
          await one.hear();
        }
        expect([...again.told, ...one.told]).toEqual([1, 2]);
        expect(one.told).toEqual(isFirst ? [] : [2]);
        await (isFirst ? again : one).cut();
      }
    });

    it('streams that return at the same moment get each message once between them', async () => {
      const play = await Play.begin(open, line, SETTLED);
      const [one, two] = [play.stream(), play.stream()];
      await one.open();
      await play.say();
      await one.hear();
      for (let round = 1; round <= 3; round++) {
        await play.say();
        await one.lose();
        await pause(SETTLED_AFTER_MS);
        await play.cut(one);
        const other = round === 1 ? two : play.stream();
        const [mine, others] = await Promise.all([one.open(), other.open()]);
        // Either may come first: it goes on, or it gets what is left and then has to wait.
        if (others === 200) {
          expect(mine).toBe(200);
          await one.toEnd();
          await pause(SETTLED_AFTER_MS);
          await play.cut(other);
          await one.open();
        } else await one.hear();
        expect(one.told).toEqual(Array.from({ length: round + 1 }, (_, i) => i + 1));
      }
      await one.cut();
    });

    it('each of many generations gets its own messages', async () => {
      const play = await Play.begin(open, line, SETTLED);
      const streams: Stream[] = [];
      for (let i = 0; i < 4; i++) {
        const stream = play.stream();
        streams.push(stream);
        expect(await stream.open()).toBe(200);
        await play.say();
        await stream.hear();
        for (let lost = 0; lost < 2; lost++) {
          await play.say();
          await stream.lose();
        }
        await pause(SETTLED_AFTER_MS);
        await play.cut(stream);
      }
      for (const stream of streams.slice(0, 3)) {
        expect(await stream.open()).toBe(200);
        await stream.toEnd();
      }
      const [last] = streams.slice(3);
      await last?.open();
      await last?.hear();
      await last?.hear();
      expect(streams.map(({ told }) => told)).toEqual([
        [1, 2, 3],
        [4, 5, 6],
        [7, 8, 9],
        [10, 11, 12],
      ]);
      await last?.cut();
    });

    it('after a node was killed, a stream without a cursor gets again what may be lost, and the other stream nothing twice', async () => {
      const play = await Play.begin(open, line, YOUNG);
      const [one, two] = [play.stream(), play.stream()];
      await one.open();
      await play.say();
      await one.hear();
      await play.say();
      await one.lose();
      await play.cut(one);
      await play.kill();
      expect(await two.open()).toBe(200);
      await two.hear();
      await two.hear();
      expect(await one.open()).toBe(409);
      await play.say();
      await two.hear();
      expect([one.told, two.told]).toEqual([[1], [1, 2, 3]]);
      await two.cut();
    });
  },
);

describe('generations of the standalone stream', () => {
  const [[, inMemory]] = places as [(typeof places)[0]];
  const [line] = lines as [Line];

  it('a cursor of an earlier generation whose messages were all trimmed is refused while the newest one is open', async () => {
    const play = await Play.begin(inMemory, line, {
      ...SETTLED,
      store: await createMemoryStore({ retention: { maxEvents: 5 } }),
    });
    const [one, two] = [play.stream(), play.stream()];
    await one.open();
    await play.say();
    await one.hear();
    await pause(SETTLED_AFTER_MS);
    await play.cut(one);
    await two.open();
    for (let i = 0; i < 20; i++) {
      await play.say();
      await two.hear();
    }
    expect(await one.open()).toBe(409);
    await two.cut();
  });

  it('their number is bounded, and messages beyond it are sent twice rather than never', async () => {
    const play = await Play.begin(inMemory, line, { ...SETTLED, keepAliveMs: 1 });
    const first = play.stream();
    await first.open();
    await play.say();
    await first.hear();
    await play.say();
    await first.lose();
    await pause(5);
    await play.cut(first);
    for (let i = 0; i < 40; i++) {
      const next = play.stream();
      await next.open();
      await play.say();
      await next.hear();
      await pause(5);
      await play.cut(next);
    }
    const { generations } = await play.facts();
    expect(generations.length).toBe(32);
    expect(await first.open()).toBe(200);
    await first.toEnd();
    expect(first.told).toEqual(Array.from({ length: first.told.length }, (_, i) => i + 1));
    expect(first.told.length).toBeGreaterThanOrEqual(2);
  });
});
