export type { ServerContext } from './lib/handler/options.ts';
export type { SessionlessContext } from './lib/handler/session-options.ts';
export type { SessionCreateContext, SessionRefusal } from './lib/request/session-create.ts';
export type { BroadcastNotification, BroadcastOptions } from './lib/cluster/broadcast.ts';
export type { EndAllOptions } from './lib/session/end-all.ts';
export type { StoreEventBusOptions } from './lib/cluster/event-bus.ts';
export type { CloseOptions, FetchOptions } from './lib/handler/session-handler.ts';
export type { SessionHandlerOptions } from './lib/handler/options.ts';
export { defaultPrincipal } from './lib/request/principal.ts';
export type { UserContext } from './lib/request/user.ts';
export { createDualEraHandler, type DualEraHandler, type DualEraHandlerOptions } from './lib/sdk/dual-era.ts';
export type { StatelessContext } from './lib/sdk/stateless-factory.ts';
export { createStoreEventBus } from './lib/sdk/store-event-bus.ts';
export { createSessionHandler, type AuthInfo, type SessionHandler, type V2Server } from './lib/sdk/v2.ts';
export type { RefusalReason } from './lib/protocol/refusal-reason.ts';
export type {
  HandlerEvent,
  HandlerObserver,
  ObservedOperation,
  OperationResult,
  OperationRunner,
  StreamKind,
} from './lib/reports/events.ts';
export type { Logger, LogFields } from '@mcp-session/core';
export type { StoreStatus } from './lib/store/health.ts';
