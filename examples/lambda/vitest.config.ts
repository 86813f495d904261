import base from '@mcp-session-tooling/vitest';
import { mergeConfig, type ViteUserConfig } from 'vitest/config';

// Each invocation is a process of its own.
const own: ViteUserConfig = mergeConfig(base, {
  test: { testTimeout: 60_000, globalSetup: ['@mcp-session-tooling/databases/dynamodb-setup'] },
});

export default own;
