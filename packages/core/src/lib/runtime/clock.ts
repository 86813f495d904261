import { callable, kindOf } from '../values/option-checks.ts';

/**
 * The option `clock`, checked at each call, and once now, so that a clock that returns something
 * else is refused where it is given.
 *
 * @throws TypeError or RangeError that names the option.
 */
export function clockOf(clock: (() => number) | undefined): () => number {
  const read = callable('clock', clock) ?? Date.now;
  const checked = (): number => {
    const now = read();
    if (Number.isSafeInteger(now) && now >= 0) return now;
    const found = typeof now === 'number' ? now : kindOf(now);
    throw new RangeError(`Option clock returned ${found}, not whole Unix milliseconds`);
  };
  checked();
  return checked;
}
