import config from '@mcp-session-tooling/vitest';
import { mergeConfig, type ViteUserConfig } from 'vitest/config';

// As a package whose tests need both databases would say it; test/shared.test.ts is such a test.
const own: ViteUserConfig = mergeConfig(config, {
  test: {
    globalSetup: ['@mcp-session-tooling/databases/postgres-setup', '@mcp-session-tooling/databases/dynamodb-setup'],
    testTimeout: 60_000,
  },
});

export default own;
