import base from '@mcp-session-tooling/vitest';
import { mergeConfig, type ViteUserConfig } from 'vitest/config';

// Real runtimes and clients, whose servers are killed.
const own: ViteUserConfig = mergeConfig(base, {
  test: {
    testTimeout: 60_000,
    globalSetup: ['@mcp-session-tooling/databases/postgres-setup', '@mcp-session-tooling/databases/dynamodb-setup'],
  },
});

export default own;
