import { availableParallelism } from 'node:os';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Workspace packages export their TypeScript sources under this condition, so tests need no build.
const source = '@mcp-session/source';

// Not 'module', which vite adds by default: it stands for files that are meant for bundlers, and
// what a test imports from node_modules is loaded by Node itself, which cannot (@aws-sdk/core
// leaves the extensions out there).
const conditions = [source, 'node', 'development|production'];

/** Files that take minutes. */
const LONG = /\/(?:conformance|unprepared|chaos|packaging|torture)\.test\.ts$/;

/** Starts the long files first. A long file that starts last would leave the other workers idle. */
class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((one, other) => Number(isLong(other)) - Number(isLong(one)));
  }
}

function isLong({ moduleId }: TestSpecification): boolean {
  return LONG.test(moduleId);
}

const config: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: {
    resolve: {
      conditions,
      externalConditions: [source, 'node'],
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    // What a test loads with Node's own import() must come from the same sources.
    execArgv: [`--conditions=${source}`],
    pool: 'forks',
    // Two files at a time on a machine of two cores as well, where vitest would run one: most of
    // them wait for timers, databases and processes.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // A process takes about a second of processor time to start and to load the modules, more than
    // most files run. The files of a package share no state: each test opens its store.
    isolate: false,
    // For a test that hangs, so that it ends: on a machine that is busy, a test of seconds can take
    // many times as long.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    sequence: { sequencer: LongFilesFirst },
    allowOnly: false,
    passWithNoTests: false,
    expect: { requireAssertions: true },
  },
});

export default config;
