import base from '@mcp-session-tooling/vitest';
import { mergeConfig, type ViteUserConfig } from 'vitest/config';

// Real processes that start, are killed and start again, and a demo that takes its time.
const own: ViteUserConfig = mergeConfig(base, {
  test: {
    testTimeout: 90_000,
    globalSetup: ['@mcp-session-tooling/databases/postgres-setup', '@mcp-session-tooling/databases/dynamodb-setup'],
  },
});

export default own;
