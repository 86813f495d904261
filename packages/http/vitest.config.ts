export { default } from '@mcp-session-tooling/vitest';
