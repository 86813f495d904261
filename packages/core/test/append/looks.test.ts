import { describe, expect, it } from 'vitest';
import { Looks } from '../../src/lib/append/looks.ts';

describe('looks at sessions', () => {
  it('are due when the time has passed, for each of many sessions', () => {
    const looks = new Looks(100);
    const ids = Array.from({ length: 30_000 }, (_, n) => `session-${n}`);
    const due = (now: number): number => ids.filter((id) => looks.isDue(id, now)).length;

    expect(due(0)).toBe(30_000);
    for (const now of [1, 50, 99]) expect(due(now)).toBe(0);
    expect(due(100)).toBe(30_000);
    // A half of them was looked at later than the others, and a new generation began between.
    for (const id of ids.slice(15_000)) looks.isDue(id, 210);
    expect(due(299)).toBe(15_000);
    expect(due(309)).toBe(0);
    expect(due(310)).toBe(15_000);
  });

  it('are due at once after a failure', () => {
    const looks = new Looks(100);
    looks.isDue('a', 0);
    looks.isDue('b', 100);

    looks.forget('a');
    looks.forget('b');

    expect(looks.isDue('b', 101)).toBe(true);
    expect(looks.isDue('a', 101)).toBe(true);
  });

  it('are forgotten, whatever the time says, before they fill the memory', () => {
    const looks = new Looks(Number.MAX_SAFE_INTEGER);
    for (let n = 0; n < 100_001; n++) looks.isDue(`s${n}`, n);

    expect(looks.isDue('s0', 200_000)).toBe(false);
    for (let n = 100_001; n < 300_000; n++) looks.isDue(`s${n}`, n);
    expect(looks.isDue('s0', 300_000)).toBe(true);
    expect(looks.isDue('s299999', 300_001)).toBe(false);
  });
});
