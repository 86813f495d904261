import config from '@mcp-session-tooling/vitest';
import { mergeConfig, type ViteUserConfig } from 'vitest/config';

// OpenTelemetry's context manager and propagator belong to the process.
const own: ViteUserConfig = mergeConfig(config, { test: { isolate: true } });

export default own;
