import { DAY, type ResolvedHandleOptions } from './options.ts';

/** Says who can use a handle and how long it is kept, for the description of a tool. */
export function describeHandles({ name, ttlMs, maxLifetimeMs }: ResolvedHandleOptions): string {
  const most = maxLifetimeMs === undefined ? '' : `, at most ${duration(maxLifetimeMs)} in all`;
  return `The ${name} id works for the user who created it. The ${name} is kept for ${duration(ttlMs)} after its last use${most}.`;
}

const UNITS: readonly (readonly [number, string])[] = [
  [DAY, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1_000, 'second'],
];

/** The time in the largest unit that it is at least two of, rounded down: `36 hours`. */
function duration(ms: number): string {
  const [unitMs, unit] = UNITS.find(([each]) => ms >= 2 * each) ??
    UNITS.find(([each]) => ms >= each) ?? [1, 'millisecond'];
  const count = Math.floor(ms / unitMs);
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
