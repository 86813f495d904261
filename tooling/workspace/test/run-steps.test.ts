import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { countCheck } from '../src/report.ts';
import { runPhases } from '../src/run-steps.ts';
import type { Step } from '../src/steps.ts';

const lines: string[] = [];

beforeEach(() => {
  lines.length = 0;
  vi.spyOn(console, 'log').mockImplementation((line: string) => {
    lines.push(line.trim());
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Steps that say when they begin and end, and end when they are told to. */
function stepsThatWait(names: readonly string[]) {
  const happened: string[] = [];
  const ends = new Map<string, () => void>();
  const steps = names.map((name): Step => ({
    name,
    run: async () => {
      happened.push(`${name} begins`);
      await new Promise<void>((resolve) => {
        ends.set(name, resolve);
      });
      happened.push(`${name} ends`);
      return { ...countCheck(name, true), output: `output of ${name}\n` };
    },
  }));
  const end = async (name: string) => {
    ends.get(name)?.();
    await new Promise(setImmediate);
  };
  return { happened, steps, end };
}

describe('running steps', () => {
  it('runs two at a time, in their order, and a phase after the one before it', async () => {
    const { happened, steps, end } = stepsThatWait(['a', 'b', 'c', 'd']);
    const done = runPhases([steps.slice(0, 3), steps.slice(3)]);

    expect(happened).toEqual(['a begins', 'b begins']);
    await end('b');
    expect(happened.slice(2)).toEqual(['b ends', 'c begins']);
    await end('c');
    expect(happened.slice(4)).toEqual(['c ends']);
    await end('a');
    expect(happened.slice(5)).toEqual(['a ends', 'd begins']);
    await end('d');
    expect((await done).map(({ name }) => name)).toEqual(['b', 'c', 'a', 'd']);
  });

  it('prints what a step wrote in one piece, when it ends', async () => {
    const { steps, end } = stepsThatWait(['a', 'b']);
    const done = runPhases([steps]);
    await end('b');
    await end('a');
    await done;

    expect(lines.map((line) => line.replace(/[\d.]+ s$/, 'N s'))).toEqual(
      ['b', 'a'].flatMap((name) => [`== ${name}`, `output of ${name}`, '1 passed, 0 failed, N s']),
    );
  });

  it('lets a step that is alone write while it runs', async () => {
    const live: boolean[] = [];
    const step = (name: string): Step => ({
      name,
      run: (may) => {
        live.push(may);
        return Promise.resolve({ ...countCheck(name, true), output: '' });
      },
    });
    await runPhases([[step('a')]]);
    await runPhases([[step('b')], [step('c')]]);

    expect(live).toEqual([true, false, false]);
  });
});
