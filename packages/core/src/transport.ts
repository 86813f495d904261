export { endsListeners, listenersEnded, type ListenersEnded } from './lib/api/listeners-ended.ts';
export { processesOf, type Processes } from './lib/api/processes.ts';
export { givenTtlOf, transportOf, type TransportFacts, type TransportSession } from './lib/api/transport.ts';
export { clientOf, shortId } from './lib/session/summary.ts';
export { Causes } from './lib/reports/error-log.ts';
export { writeLine, type LogLevel } from './lib/reports/logger.ts';
export { safeCallback, type CallbackOwner } from './lib/reports/safe-callback.ts';
export { isExpired, tokenLifetime, whenOver } from './lib/runtime/token-expiry.ts';
