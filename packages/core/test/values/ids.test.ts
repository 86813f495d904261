import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { newSessionId, newToken } from '../../src/lib/values/ids.ts';

const bits = (id: string): string =>
  BigInt(`0x${id.replaceAll('-', '')}`)
    .toString(2)
    .padStart(128, '0');

it('makes ids of UUID version 7 that begin with the time', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (now) => {
      const id = bits(newSessionId(now));

      expect(Number.parseInt(id.slice(0, 48), 2)).toBe(now);
      expect(id.slice(48, 52)).toBe('0111');
      expect(id.slice(64, 66)).toBe('10');
    }),
  );
});

it('draws all of the other 74 bits anew for each id, also within a millisecond', () => {
  const ids = Array.from({ length: 2_000 }, () => bits(newSessionId(1_700_000_000_000)));
  const random = ids.map((id) => id.slice(52, 64) + id.slice(66));

  expect(new Set(random).size).toBe(2_000);
  for (let index = 0; index < 74; index++) {
    const ones = random.filter((id) => id[index] === '1').length;
    // Eight standard deviations: a fair bit fails once in 10^15 runs, a bit of a counter or a
    // constant one at once.
    expect(Math.abs(ones - 1_000), `bit ${index}`).toBeLessThan(180);
    const changes = random.filter((id, at) => at > 0 && id[index] !== random[at - 1]?.[index]).length;
    expect(Math.abs(changes - 1_000), `bit ${index}`).toBeLessThan(180);
  }
});

it('makes tokens of 22 characters of base64url', () => {
  const tokens = Array.from({ length: 1_000 }, newToken);

  for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]{22}$/);
  expect(new Set(tokens).size).toBe(1_000);
});
