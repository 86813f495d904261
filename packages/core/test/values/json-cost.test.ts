import { expect, it } from 'vitest';
import { encodeExact } from '../../src/lib/values/json.ts';

/**
 * An array of `count` empty arrays, `depth` levels down: two bytes and a comma each, whatever the
 * depth.
 */
function nested(count: number, depth: number): unknown {
  let value: unknown = Array.from({ length: count }, () => []);
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

/**
 * The least time that each of two works takes, in turn: what else the machine does falls on both.
 */
function quickest(works: readonly [() => void, () => void], tries: number): [number, number] {
  const least: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let n = 0; n < 2 * tries; n++) {
    const index = n % 2 === 0 ? 0 : 1;
    const startedAt = performance.now();
    works[index]();
    least[index] = Math.min(least[index], performance.now() - startedAt);
  }
  return least;
}

const encode = (value: unknown): string =>
  encodeExact(
    value,
    () => 'Value',
    () => undefined,
  );

it('a value costs by its bytes, not by its depth', () => {
  const flat = nested(100_000, 1);
  const deep = nested(100_000, 998);
  encode(flat);
  encode(deep);

  // Looking at all that each value is part of took thirty times as long.
  const [deepMs, flatMs] = quickest([() => encode(deep), () => encode(flat)], 5);
  expect(deepMs).toBeLessThan(6 * flatMs);
});

it('a value that is too large is refused before it is searched for faults', () => {
  let looked = 0;
  const value = Object.defineProperty({ text: 'x' }, 'at', { enumerable: true, get: () => looked++ });

  expect(() =>
    encodeExact(
      value,
      () => 'Value',
      () => {
        throw new Error('too large');
      },
    ),
  ).toThrow('too large');
  expect(looked).toBe(1);
});
