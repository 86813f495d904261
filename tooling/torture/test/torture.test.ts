import { describe, expect, it } from 'vitest';
import { backendNames } from '../src/lib/backends.ts';
import { torture } from '../src/lib/torture.ts';

/** How long each backend is worked on, in milliseconds. */
const MS = 20_000;

describe.concurrent('20 seconds of kills and failing databases', () => {
  it.each(backendNames)('%s keeps its promises', { timeout: 10 * MS }, async (backend) => {
    const report = await torture({ backend, ms: MS, seed: 'suite' });

    expect(report.problems.slice(0, 20)).toEqual([]);
    expect(report.acknowledged).toBeGreaterThan(100);
    expect(report.delivered).toBeGreaterThan(10);
    expect(report.faults['kills']).toBeGreaterThan(0);
  });
});
