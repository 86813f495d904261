import type { SessionStoreOptions } from '@mcp-session/core';
import { expect, it } from 'vitest';
import { errorOf } from './support/errors.ts';
import { open } from './support/open.ts';

const numeric: [string, (value: number) => SessionStoreOptions][] = [
  ['ttlMs', (ttlMs) => ({ ttlMs })],
  ['maxLifetimeMs', (maxLifetimeMs) => ({ maxLifetimeMs })],
  ['touchIntervalMs', (touchIntervalMs) => ({ touchIntervalMs })],
  ['tombstoneMs', (tombstoneMs) => ({ tombstoneMs })],
  ['stateLimits.maxValueBytes', (maxValueBytes) => ({ stateLimits: { maxValueBytes } })],
  ['stateLimits.maxKeys', (maxKeys) => ({ stateLimits: { maxKeys } })],
  ['stateLimits.maxTotalBytes', (maxTotalBytes) => ({ stateLimits: { maxTotalBytes } })],
  ['retention.maxEvents', (maxEvents) => ({ retention: { maxEvents } })],
  ['retention.maxBytes', (maxBytes) => ({ retention: { maxBytes } })],
  ['retention.maxAgeMs', (maxAgeMs) => ({ retention: { maxAgeMs } })],
  ['sweep.intervalMs', (intervalMs) => ({ sweep: { intervalMs } })],
  ['sweep.stepRows', (stepRows) => ({ sweep: { stepRows } })],
];

it.each(numeric)('refuses a value of %s that is no whole number from 1', async (name, option) => {
  for (const value of [0, -1, 1.5, Number.NaN, Infinity, 2 ** 53]) {
    expect(await errorOf(() => open(option(value)))).toMatchObject({
      name: 'RangeError',
      message: expect.stringContaining(`Option ${name} is ${value}, not a whole number from 1 to `) as string,
    });
  }
  for (const value of ['5', null, {}, true]) {
    expect(await errorOf(() => open(option(value as number)))).toMatchObject({
      name: 'TypeError',
      message: `Option ${name} is not a number`,
    });
  }
});

it('refuses values that are too large to work', async () => {
  await expect(open({ stateLimits: { maxValueBytes: 67_108_865 } })).rejects.toThrow(
    'not a whole number from 1 to 67108864',
  );
  await expect(open({ ttlMs: 1_000, touchIntervalMs: 1_001 })).rejects.toThrow('not a whole number from 1 to 1000');
  // Node would fire such a timer at once.
  await expect(open({ sweep: { intervalMs: 2 ** 31 } })).rejects.toThrow('Option sweep.intervalMs');
});

it('refuses a clock or an observer that is not a function', async () => {
  await expect(open({ clock: 5 as unknown as () => number })).rejects.toThrow(
    new TypeError('Option clock is not a function'),
  );
  await expect(open({ observe: {} as unknown as () => void })).rejects.toThrow(
    new TypeError('Option observe is not a function'),
  );
});

it('refuses a clock that does not return milliseconds when the store is made', async () => {
  for (const [clock, found] of [
    [() => new Date(), 'an object of class Date'],
    [() => 1.5, '1.5'],
    [async () => 1, 'a promise'],
  ] as const) {
    await expect(open({ clock: clock as () => number })).rejects.toThrow(
      new RangeError(`Option clock returned ${found}, not whole Unix milliseconds`),
    );
  }
});

it('accepts the least value of every option', async () => {
  const { store } = await open({
    ttlMs: 1,
    touchIntervalMs: 1,
    tombstoneMs: 1,
    stateLimits: { maxKeys: 1, maxTotalBytes: 2, maxValueBytes: 1 },
    retention: { maxEvents: 1, maxBytes: 1, maxAgeMs: 1 },
  });
  const session = await store.create();

  await session.state.set('a', 1);
  await session.events.append('s', 1);
  await session.events.append('s', 2);

  expect((await session.events.recent(10)).map(({ message }) => message)).toEqual([2]);
});
