import { defineConfig, type ViteUserConfig } from 'vitest/config';

// Workspace packages export their TypeScript sources under this condition, so tests need no build.
const source = '@mcp-session/source';

const config: ViteUserConfig = defineConfig({
  resolve: { conditions: [source, 'module', 'node', 'development|production'] },
  ssr: {
    resolve: {
      conditions: [source, 'module', 'node', 'development|production'],
      externalConditions: [source, 'node'],
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    // What a test loads with Node's own import() must come from the same sources.
    execArgv: [`--conditions=${source}`],
    pool: 'forks',
    allowOnly: false,
    passWithNoTests: false,
    expect: { requireAssertions: true },
  },
});

export default config;
