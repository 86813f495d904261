import config from '@mcp-session-tooling/vitest';
import { mergeConfig, type ViteUserConfig } from 'vitest/config';

const own: ViteUserConfig = mergeConfig(config, { test: { globalSetup: ['test/support/setup.ts'] } });

export default own;
