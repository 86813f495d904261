import config from '@mcp-session-tooling/vitest';
import { mergeConfig, type ViteUserConfig } from 'vitest/config';

// Both SDKs and the backends take a second of processor time to load. The files share no state:
// each test opens its store.
const shared: ViteUserConfig = mergeConfig(config, { test: { isolate: false } });

export default shared;
