import config from '@mcp-session-tooling/vitest';
import { mergeConfig, type ViteUserConfig } from 'vitest/config';

// Each test is several processes.
const own: ViteUserConfig = mergeConfig(config, { test: { maxConcurrency: 3, fileParallelism: false } });

export default own;
