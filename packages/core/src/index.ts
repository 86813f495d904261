export type { SessionEvent, SessionEventPage, SessionEvents } from './lib/api/session-events.ts';
export type { SessionState, StateEntry } from './lib/api/session-state.ts';
export type { ListedSession, SessionList } from './lib/api/session-list.ts';
export type { SessionStore } from './lib/api/session-store.ts';
export type { Session } from './lib/api/session.ts';
export type { FoundSession, SessionKind } from './lib/api/session-kind.ts';
export type { UserRecord } from './lib/api/user-record.ts';
export type { SessionKindOptions } from './lib/options/kind-options.ts';
export type { UserRecordOptions } from './lib/options/user-options.ts';
export {
  EventsTrimmedError,
  SessionError,
  StateConflictError,
  StateValidationError,
  type SessionErrorCode,
  type SessionErrorOptions,
  type SessionErrorScope,
} from './lib/errors.ts';
export type {
  AppendOptions,
  EventPageOptions,
  ReplayOptions,
  TailOptions,
  TrimOptions,
} from './lib/options/event-options.ts';
export type { JsonValue } from './lib/values/json.ts';
export type { Logger, LogFields } from './lib/reports/logger.ts';
export type { Observer, Operation, OperationName } from './lib/runtime/observer.ts';
export type {
  RetentionOptions,
  SessionStoreOptions,
  StateLimitOptions,
  SweepOptions,
} from './lib/options/store-options.ts';
export type { Metadata, ProtocolFacts } from './lib/values/facts.ts';
export { REMOVE, type Remove } from './lib/values/remove.ts';
export type {
  AnySchemas,
  StandardResult,
  StandardSchema,
  StateInput,
  StateKey,
  StateOutput,
  StateSchemas,
} from './lib/values/standard-schema.ts';
export type {
  CountSessionsOptions,
  CreateSessionOptions,
  EndAllSessionsOptions,
  EndSessionOptions,
  GetSessionOptions,
  ListSessionsOptions,
} from './lib/options/session-options.ts';
