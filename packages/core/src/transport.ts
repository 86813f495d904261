export { transportOf, type TransportFacts, type TransportSession } from './lib/api/transport.ts';
