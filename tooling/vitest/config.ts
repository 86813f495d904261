import { availableParallelism } from 'node:os';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

// Workspace packages export their TypeScript sources under this condition, so tests need no build.
const source = '@mcp-session/source';

// Not 'module', which vite adds by default: it stands for files that are meant for bundlers, and
// what a test imports from node_modules is loaded by Node itself, which cannot (@aws-sdk/core
// leaves the extensions out there).
const conditions = [source, 'node', 'development|production'];

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
    // For a test that hangs, so that it ends: on a machine that is busy, a test of seconds can take
    // many times as long.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    allowOnly: false,
    passWithNoTests: false,
    expect: { requireAssertions: true },
  },
});

export default config;
