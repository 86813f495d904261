import { createMemoryBackend } from '@mcp-session/core/memory';
import { describeBackend } from '@mcp-session/conformance/vitest';
import { memoryRows } from './support/memory-rows.ts';

describeBackend('memory', () => {
  const backend = createMemoryBackend();
  return { backend, reopen: () => createMemoryBackend(), rows: () => memoryRows(backend) };
});
