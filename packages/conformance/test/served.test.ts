import { describeBackend } from '@mcp-session/conformance/vitest';
import { serveMemory } from './support/serve.ts';

describeBackend('served to several processes', () => serveMemory());

describeBackend('served to several processes while its server lives', () =>
  serveMemory({ capabilities: { shared: true, durable: false } }),
);

describeBackend('served to one process at a time', () =>
  serveMemory({ capabilities: { shared: false, durable: true } }),
);
