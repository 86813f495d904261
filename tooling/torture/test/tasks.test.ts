import { describe, expect, it } from 'vitest';
import { taskBugNames } from '../src/lib/tasks/bugs.ts';
import { tortureTasks } from '../src/lib/tasks/torture.ts';
import { problemsOfFrozenNode } from './support/frozen-node.ts';

/** What the checks must say of each bug. */
const said: Readonly<Record<string, RegExp>> = {
  'no-fence': /was accepted after attempt \d+ had begun/,
  'lost-update': /never ended/,
  'double-recover': /was begun \d+ times/,
};

describe.concurrent('tasks, whose nodes are killed and frozen', () => {
  it(
    'task rules 5, 8, 14 and 15: each ends once, uses each answer once, and has one worker at a time',
    { timeout: 120_000 },
    async () => {
      const report = await tortureTasks({ backend: 'sqlite', ms: 4_000, seed: 'suite', tasks: 30, workers: 2 });
      expect(report.problems.slice(0, 20)).toEqual([]);
      expect(report.tasks).toBeGreaterThan(5);
      expect([report.kills > 0, report.continued > 0]).toEqual([true, true]);
    },
  );

  it('nothing is found without a bug', { timeout: 60_000 }, async () => {
    expect(await problemsOfFrozenNode(undefined)).toEqual([]);
  });

  it.each(taskBugNames)('a planted bug is found: %s', { timeout: 60_000 }, async (bug) => {
    const found: string[] = [];
    for (let tries = 0; tries < 4 && found.length === 0; tries++) {
      found.push(...(await problemsOfFrozenNode(bug)).filter((problem) => said[bug]?.test(problem)));
    }
    expect(found).not.toEqual([]);
  });
});
