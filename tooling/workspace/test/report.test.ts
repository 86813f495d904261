import { describe, expect, it } from 'vitest';
import { countCheck, countTests, summary, type VitestReport } from '../src/report.ts';

const report = (statuses: readonly string[]): VitestReport => {
  const count = (status: string) => statuses.filter((one) => one === status).length;
  return {
    numPassedTests: count('passed'),
    numFailedTests: count('failed'),
    numPendingTests: count('skipped'),
    numTodoTests: count('todo'),
    testResults: [
      { name: 'a.test.ts', assertionResults: statuses.map((status, i) => ({ fullName: `test ${i}`, status })) },
    ],
  };
};

describe('counting a run of vitest', () => {
  it('counts what passed and names what failed', () => {
    expect(countTests('core', false, report(['passed', 'failed', 'passed']))).toEqual({
      name: 'core',
      passed: 2,
      failed: 1,
      failures: ['core: failed: test 1'],
    });
  });

  it.each([
    ['a test that was skipped', true, report(['passed', 'skipped'])],
    ['a test that is to be written', true, report(['passed', 'todo'])],
    ['a run without tests', true, report([])],
    ['a run that failed outside of its tests', false, report(['passed'])],
    ['a run that left no report', true, undefined],
  ])('takes for a failure: %s', (_, ok, given) => {
    const counted = countTests('core', ok, given);

    expect(counted.failed).toBe(1);
    expect(counted.failures).toHaveLength(1);
  });
});

describe('the summary', () => {
  it('ends with the sums over all steps', () => {
    const results = [countCheck('lint', true), countTests('core', true, report(['passed', 'passed']))];

    expect(summary(results)).toBe('\n3 passed, 0 failed');
  });

  it('repeats what failed', () => {
    expect(summary([countCheck('lint', false), countCheck('format', true)])).toBe(
      '\nFailed:\n  lint\n\n1 passed, 1 failed',
    );
  });
});
