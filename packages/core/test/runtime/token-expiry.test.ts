import { expect, it, onTestFinished, vi } from 'vitest';
import { isExpired, tokenLifetime, whenOver } from '../../src/lib/runtime/token-expiry.ts';

const ends = (expiresAt: number | undefined): { count: number; off: () => void } => {
  const state = { count: 0, off: (): void => undefined };
  state.off = whenOver(tokenLifetime(expiresAt), () => state.count++);
  return state;
};

it('a token expires at its expiry, in seconds, and never without one', () => {
  vi.useFakeTimers({ now: 1_999 });
  onTestFinished(() => void vi.useRealTimers());
  expect([isExpired(2), isExpired(Number.NaN), isExpired(undefined)]).toEqual([false, false, false]);
  vi.setSystemTime(2_000);
  expect(isExpired(2)).toBe(true);
});

it("ends a connection at the token's expiry, at least a second from now, and never without an expiry", () => {
  vi.useFakeTimers({ now: 1_000_000_000_000 });
  onTestFinished(() => void vi.useRealTimers());
  const [inTwo, past, off] = [ends(1_000_000_002), ends(5), ends(1_000_000_001)];
  const never = [ends(undefined), ends(Number.NaN), ends(Number.POSITIVE_INFINITY)];
  // Longer than a timer of Node can wait.
  const month = ends(1_000_000_000 + 30 * 86_400);
  off.off();
  vi.advanceTimersByTime(999);
  expect([inTwo, past].map(({ count }) => count)).toEqual([0, 0]);
  vi.advanceTimersByTime(1);
  expect([inTwo, past].map(({ count }) => count)).toEqual([0, 1]);
  vi.advanceTimersByTime(1_000);
  expect(inTwo.count).toBe(1);
  vi.advanceTimersByTime(30 * 86_400_000 - 2_001);
  expect(month.count).toBe(0);
  vi.advanceTimersByTime(1);
  expect([month, off, ...never].map(({ count }) => count)).toEqual([1, 0, 0, 0, 0]);
});
