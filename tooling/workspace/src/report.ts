/** What the runner reads of the report that vitest's JSON reporter writes. */
export interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** A step of a run, counted. */
export interface StepResult {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  /** Lines to repeat at the end of the run, one for each failure. */
  readonly failures: readonly string[];
}

/** Counts a check that passes or fails as a whole. */
export function countCheck(name: string, ok: boolean): StepResult {
  return ok ? { name, passed: 1, failed: 0, failures: [] } : { name, passed: 0, failed: 1, failures: [name] };
}

/**
 * Counts a run of vitest. A skipped test counts as failed. So does a run without tests, a run that
 * failed outside of a test (a file that cannot be loaded, an unhandled rejection), and a run
 * without a report.
 */
export function countTests(name: string, ok: boolean, report: VitestReport | undefined): StepResult {
  if (!report) return countCheck(`${name}: vitest left no report`, false);
  const failures = report.testResults.flatMap((file) =>
    file.assertionResults
      .filter(({ status }) => status !== 'passed')
      .map(({ fullName, status }) => `${name}: ${status}: ${fullName}`),
  );
  const passed = report.numPassedTests;
  const skipped = report.numPendingTests + report.numTodoTests;
  if (passed + report.numFailedTests + skipped === 0) failures.push(`${name}: no tests ran`);
  else if (!ok && report.numFailedTests === 0) failures.push(`${name}: vitest failed outside of a test`);
  return { name, passed, failed: Math.max(failures.length, report.numFailedTests + skipped), failures };
}

/** The end of a run's output. Its last line is what other tools read. */
export function summary(results: readonly StepResult[]): string {
  const failures = results.flatMap((result) => result.failures);
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  const lines = failures.length > 0 ? ['', 'Failed:', ...failures.map((failure) => `  ${failure}`)] : [];
  return [...lines, '', `${passed} passed, ${failed} failed`].join('\n');
}
