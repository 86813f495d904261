import { createMemoryBackend } from '@mcp-session/core/memory';
import { describeBackend } from '@mcp-session/conformance';

describeBackend('memory', () => ({ backend: createMemoryBackend(), reopen: () => createMemoryBackend() }));
