export { processesOf, type Processes } from './lib/api/processes.ts';
export { transportOf, type TransportFacts, type TransportSession } from './lib/api/transport.ts';
