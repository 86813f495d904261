import base from '@mcp-session-tooling/vitest';
import { mergeConfig, type ViteUserConfig } from 'vitest/config';

// Real processes, one of which is killed.
const own: ViteUserConfig = mergeConfig(base, {
  test: { testTimeout: 120_000, globalSetup: ['@mcp-session-tooling/databases/postgres-setup'] },
});

export default own;
