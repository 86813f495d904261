export {
  EventsTrimmedError,
  SessionError,
  StateConflictError,
  StateValidationError,
  type SessionErrorCode,
  type SessionErrorOptions,
  type SessionErrorScope,
} from './lib/errors.ts';
export type { AppendOptions, ReplayOptions, TailOptions, TrimOptions } from './lib/events/options.ts';
export type { SessionEvent, SessionEvents } from './lib/events/events.ts';
export type { JsonValue } from './lib/values/json.ts';
export type { Observer, Operation, OperationName } from './lib/runtime/operations.ts';
export type { RetentionOptions, SessionStoreOptions, StateLimitOptions, SweepOptions } from './lib/options.ts';
export type { Metadata, ProtocolFacts } from './lib/session/profile.ts';
export { REMOVE } from './lib/state/removal.ts';
export type { Session } from './lib/session.ts';
export type { SessionState, StateEntry } from './lib/state/state.ts';
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
  EndSessionOptions,
  GetSessionOptions,
  ListSessionsOptions,
} from './lib/call-options.ts';
export type { SessionList, SessionStore } from './lib/store.ts';
