export type { SessionBackend } from './lib/contract/backend.ts';
export type { BackendAdministration, Diagnosis, SchemaVersion } from './lib/contract/administration.ts';
export type { Capabilities } from './lib/contract/capabilities.ts';
export type { ProcessBackend } from './lib/contract/process-backend.ts';
export { judgeCommit, type CommitVerdict, type StateTotals } from './lib/contract/commits.ts';
export {
  FORGET_EVERY,
  LEAST_MAX_BYTES,
  MAX_COMMIT_WRITES,
  MAX_KEY_BYTES,
  passes,
  REMEMBERED_TOKENS,
  REMEMBERED_TRIMS,
} from './lib/contract/limits.ts';
export { exceeds, takePage, takeSessions } from './lib/contract/paging.ts';
export type * from './lib/contract/rows.ts';
export {
  callable,
  checkOptions,
  flag,
  kindOf,
  MAX_TIMER_MS,
  oneOf,
  optional,
  positive,
  refuseUndefined,
  text,
  texts,
  whole,
  type OptionNames,
} from './lib/values/option-checks.ts';
export { encodeExact } from './lib/values/json.ts';
export { suggestion } from './lib/values/suggestions.ts';
export type { ErrorListener } from './lib/reports/error-log.ts';
export {
  backgroundListener,
  errorListener,
  errorListenerOptions,
  type ErrorListenerOptions,
  type ErrorReporter,
} from './lib/reports/error-listener.ts';
export { userRecordOptions } from './lib/options/user-options.ts';
export { sessionStoreOptions, storeOptionsOf } from './lib/options/store-options.ts';
export { diagnoseSchema } from './lib/runtime/diagnose-schema.ts';
export { KeyedLock } from './lib/runtime/keyed-lock.ts';
export { versionOf } from './lib/runtime/version-of.ts';
export { createSessionStore } from './lib/store.ts';
