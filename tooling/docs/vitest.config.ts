import config from '@mcp-session-tooling/vitest';
import { mergeConfig, type ViteUserConfig } from 'vitest/config';

const own: ViteUserConfig = mergeConfig(config, {
  test: {
    globalSetup: ['@mcp-session-tooling/databases/postgres-setup', '@mcp-session-tooling/databases/dynamodb-setup'],
  },
});

export default own;
