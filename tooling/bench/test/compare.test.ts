import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { compare, median, quantile } from '../src/lib/compare.ts';

it('measures the sides alternately, each after its preparation, and reports how fast one is compared with the other', async () => {
  const order: string[] = [];
  const side = (name: string, turns: number) => ({
    prepare: () => order.push(name),
    run: async () => {
      for (let left = turns; left > 0; left--) await turn();
    },
  });
  const { times, speedOf } = await compare({ one: side('one', 1), many: side('many', 100) }, { blocks: 3, runs: 20 });

  expect(order).toEqual(['one', 'many', 'many', 'one', 'one', 'many', 'many', 'one']);
  expect(speedOf('one', 'many')).toBeGreaterThan(1);
  expect(speedOf('many', 'one')).toBeLessThan(1);
  expect(times('one').medianMs).toBeLessThan(times('many').medianMs);
  expect(times('one').p99Ms).toBeGreaterThanOrEqual(times('one').medianMs);
});

it('divides the time of a run by the operations that it makes', async () => {
  const run = async () => {
    for (let left = 100; left > 0; left--) await turn();
  };
  const { speedOf } = await compare({ whole: { run }, parts: { run, operations: 100 } }, { blocks: 3, runs: 20 });

  expect(speedOf('parts', 'whole')).toBeGreaterThan(10);
});

it('fails where a side fails', async () => {
  const broken = { run: () => Promise.reject(new Error('no database')) };

  await expect(compare({ broken }, { blocks: 1, runs: 1 })).rejects.toThrow('no database');
});

it('counts quantiles between values', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(quantile([1, 2, 3], 0.99)).toBeCloseTo(2.98);
});
