import base from '@mcp-session-tooling/vitest';
import { mergeConfig } from 'vitest/config';

// Real processes that start, are killed and start again, and a demo that takes its time.
export default mergeConfig(base, {
  test: { testTimeout: 90_000, globalSetup: ['@mcp-session-tooling/databases/postgres-setup'] },
});
