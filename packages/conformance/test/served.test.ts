import { describeBackend } from '@mcp-session/conformance';
import { serveMemory } from './support/served.ts';

describeBackend('memory served to several processes', () => serveMemory());
