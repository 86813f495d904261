// The workspace's `build`, `check` and `test` commands; see CONTRIBUTING.md.
//
//   main.ts build             what is published, into each `dist`
//   main.ts check             format, lint, types, prose, dead code, directions
//   main.ts test              everything: the checks, the build, every package's tests
//   main.ts test <folder>...  the tests of some packages alone, such as packages/core
import { wrapFiles } from './comments.ts';
import { home, releaseProblems, writeMetadata } from './metadata.ts';
import { summary } from './report.ts';
import { runPhases } from './run-steps.ts';
import { compileCache, databases, type End } from './shared.ts';
import { build, checks, tests, type Step } from './steps.ts';

/** What ends the things that the steps share. */
const ends: End[] = [];

/** The steps of a command, in phases: a phase begins when the one before it has ended. */
function phasesOf(command: string | undefined, folders: readonly string[]): Step[][] {
  switch (command) {
    case 'check':
      return [[...checks(), ...tests(['tooling/workspace'])]];
    case 'build':
      return [[build()]];
    case 'test':
      return folders.length > 0 ? [tests(folders)] : [checks(), [build(), ...databases(ends)], tests([])];
    default:
      throw new RangeError(`Command "${command}" is not "build", "check" or "test"`);
  }
}

function done(lines: readonly string[], exitCode = 0): never {
  for (const line of lines) console.log(line);
  process.exit(exitCode);
}

const [command, ...folders] = process.argv.slice(2);
if (command === 'wrap') done(wrapFiles(true, folders));
if (command === 'metadata') done(writeMetadata(true));
if (command === 'check-release') {
  const problems = releaseProblems(home());
  done(problems, problems.length > 0 ? 1 : 0);
}
if (command === 'test') ends.push(compileCache());
try {
  const results = await runPhases(phasesOf(command, folders));
  console.log(summary(results));
  process.exitCode = results.some(({ failed }) => failed > 0) ? 1 : 0;
} catch (error) {
  if (!(error instanceof RangeError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
} finally {
  await Promise.all(ends.map((end) => end()));
}
