import { describe, expect, it } from 'vitest';
import { bugNames } from '../src/lib/bugs.ts';
import { torture } from '../src/lib/torture.ts';

/** What the checks must say of each bug. */
const said: Readonly<Record<string, RegExp>> = {
  'blind-compare-and-set': /two calls got the value|both replaced version/,
  'lost-commit': /updates and \d+ that may have happened|two calls got the value/,
  'lost-append': /was acknowledged as number \d+ but is missing/,
  'doubled-append': /is stored twice/,
  'hole-in-a-page': /something is missing before number|of its stream is missing/,
  'silent-trim': /something is missing|starts at|INVALID_CURSOR/,
  'torn-read': /two halves of a commit/,
  'end-for-all': /was ended by .+ and/,
  'cached-session': /began after the end of/,
  'idle-sweep': /rows in \S+ belong to no session/,
};

/** How long the first round works, in milliseconds. A busy machine needs more rounds. */
const ROUND_MS = 1_500;
/** Each round is twice as long as the one before it. */
const ROUNDS = 5;

describe.concurrent('a planted bug is found', () => {
  it.each(bugNames)('%s', { timeout: 300_000 }, async (bug) => {
    const options = { backend: 'sqlite', seed: 'bugs', workers: 2, faults: false, bug } as const;
    const problems: string[] = [];
    for (let round = 0; round < ROUNDS && !problems.some((problem) => said[bug]?.test(problem)); round++) {
      const ms = ROUND_MS * 2 ** round;
      problems.push(...(await torture({ ...options, ms, roundMs: ms })).problems);
    }

    expect(problems.filter((problem) => said[bug]?.test(problem))).not.toEqual([]);
  });
});
