import { setTimeout as wait } from 'node:timers/promises';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { check, Silence } from '../src/lib/generated/check.ts';

const plan = { calls: fc.constant(['call']), tell: String, runs: 100, limitMs: 1 };

it('generated calls are made once at least, however slow the backend is', async () => {
  let made = 0;
  const compare = async (): Promise<void> => {
    await wait(20);
    made++;
  };

  await expect(check({ ...plan, compare })).resolves.toBeUndefined();
  expect(made).toBeGreaterThan(0);
});

it('generated calls of a slow backend are a finding if an answer differs', async () => {
  const compare = async (): Promise<void> => {
    await wait(20);
    throw new Error('differs');
  };

  await expect(check({ ...plan, compare })).rejects.toThrow('differs\nafter these calls');
});

it('generated calls that the time limit interrupts end before anything else begins', async () => {
  const [now, seen] = [new Set<object>(), new Set<number>()];
  const compare = async (): Promise<void> => {
    const run = {};
    now.add(run);
    seen.add(now.size);
    await wait(20);
    now.delete(run);
  };

  await check({ ...plan, compare });
  await check({ ...plan, compare, limitMs: 50 });
  expect([seen, now.size]).toEqual([new Set([1]), 0]);
});

it.each([1, 1_000])('a call without an answer is waited for once, with a time limit of %i ms', async (limitMs) => {
  let made = 0;
  // Long lists, which can be shortened often.
  const calls = fc.array(fc.constant('call'), { minLength: 100, maxLength: 1_000, size: 'max' });
  const compare = async (): Promise<void> => {
    made++;
    await wait(20);
    throw new Silence('append had no answer');
  };

  await expect(check({ ...plan, calls, compare, limitMs })).rejects.toThrow(/^append had no answer\nseed: /);
  expect(made).toBe(1);
});
