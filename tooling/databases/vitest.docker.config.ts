import config from '@mcp-session-tooling/vitest';
import type { ViteUserConfig } from 'vitest/config';

// Needs a Docker engine, so it is a run of its own: `pnpm run test:docker`.
const docker: ViteUserConfig = {
  ...config,
  test: { ...config.test, include: ['test/**/*.docker.ts'], testTimeout: 120_000 },
};

export default docker;
