import config from '@mcp-session-tooling/vitest';
import { mergeConfig, type ViteUserConfig } from 'vitest/config';

// Most files take less time than a process of their own would take to start. They share no state:
// each test opens its store.
const shared: ViteUserConfig = mergeConfig(config, { test: { isolate: false } });

export default shared;
