export { processesOf, type Processes } from './lib/api/processes.ts';
export { givenTtlOf, transportOf, type TransportFacts, type TransportSession } from './lib/api/transport.ts';
export { clientOf, shortId } from './lib/session/summary.ts';
