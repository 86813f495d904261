import { brand } from './brand.ts';

/**
 * Every code of a {@link SessionError}. Codes are stable: a release that changes the meaning of one
 * is a major release. `docs/reference/errors.md` has a section for each.
 */
export type SessionErrorCode =
  | 'SESSION_NOT_FOUND'
  | 'SESSION_EXISTS'
  | 'INVALID_SESSION_ID'
  | 'INVALID_PRINCIPAL'
  | 'INVALID_KIND'
  | 'INVALID_STREAM_ID'
  | 'INVALID_CURSOR'
  | 'INVALID_STATE_KEY'
  | 'INVALID_STATE_VALUE'
  | 'NOT_JSON'
  | 'STATE_CONFLICT'
  | 'STATE_KEY_UNDECLARED'
  | 'STATE_LIMIT_EXCEEDED'
  | 'STATE_VALUE_TOO_LARGE'
  | 'PROFILE_CONFLICT'
  | 'PROFILE_TOO_LARGE'
  | 'EVENT_TOO_LARGE'
  | 'EVENTS_TRIMMED'
  | 'HANDLE_NOT_FOUND'
  | 'HANDLE_EXPIRED'
  | 'HANDLE_LIMIT_REACHED'
  | 'INVALID_REQUEST_STATE'
  | 'STORE_BUSY'
  | 'STORE_CLOSED'
  | 'STORE_CORRUPT'
  | 'STORE_DENIED'
  | 'STORE_FAILED'
  | 'STORE_FULL'
  | 'STORE_READ_ONLY'
  | 'STORE_SCHEMA_TOO_NEW'
  | 'STORE_UNAVAILABLE';

/**
 * What a failure of the store concerns: one session, so that others are not affected, or the whole
 * store.
 */
export type SessionErrorScope = 'session' | 'store';

/** Options of a {@link SessionError} besides its code and message. */
export interface SessionErrorOptions {
  /** The error that caused this one, as the driver threw it. */
  readonly cause?: unknown;
  /** Whether the same call can succeed later although nobody changes anything. Default: `false`. */
  readonly retryable?: boolean;
  /** Whether the write may have happened although it failed. Default: `false`. */
  readonly outcomeUnknown?: boolean;
  /** What a failure with a code `STORE_…` concerns. Default: `store`. */
  readonly scope?: SessionErrorScope;
  /** The store, for operators: see {@link SessionError.store}. Default: `undefined`. */
  readonly store?: string | undefined;
}

/**
 * The error of this library for everything that goes wrong at run time. Misuse of an API throws a
 * plain `TypeError` or `RangeError`. `instanceof` is also true for the errors of another version of
 * this package in the same process.
 *
 * Messages may be shown to clients; tools pass them on. They contain no values of sessions, no
 * credentials, and no path, host or name of a database.
 */
export class SessionError extends Error {
  static {
    brand(this, 'SessionError');
  }

  override readonly name: string = 'SessionError';
  readonly code: SessionErrorCode;
  /** Whether the same call can succeed later although nobody changes anything. */
  readonly retryable: boolean;
  /** Whether the write may have happened although it failed. */
  readonly outcomeUnknown: boolean;
  /**
   * What a failure with a code `STORE_…` concerns: `session` if other sessions are not affected.
   * `store` for all other codes.
   */
  readonly scope: SessionErrorScope;
  /**
   * The store as its backend knows it, for operators: the path of a file, the host and the name of
   * a database, or the ARN of a table. Contains no credentials and is not part of the message.
   * `undefined` if the error is not about a store or its backend does not say.
   */
  readonly store: string | undefined;

  constructor(code: SessionErrorCode, message: string, options: SessionErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.outcomeUnknown = options.outcomeUnknown ?? false;
    this.scope = options.scope ?? 'store';
    this.store = options.store;
  }
}

/** `STATE_CONFLICT`: a compare-and-set lost. Nothing was changed. */
export class StateConflictError extends SessionError {
  static {
    brand(this, 'StateConflictError');
  }

  override readonly name = 'StateConflictError';
  readonly key: string;
  /** The present version of the key; 0 if it does not exist. */
  readonly currentVersion: number;

  constructor(key: string, expectedVersion: number, currentVersion: number) {
    super(
      'STATE_CONFLICT',
      `State key ${JSON.stringify(key)} has version ${currentVersion}, not the expected ${expectedVersion}`,
    );
    this.key = key;
    this.currentVersion = currentVersion;
  }
}

/**
 * `EVENTS_TRIMMED`: the log no longer holds everything after the cursor. Nothing was delivered
 * instead.
 */
export class EventsTrimmedError extends SessionError {
  static {
    brand(this, 'EventsTrimmedError');
  }

  override readonly name = 'EventsTrimmedError';
  /** The greatest number that is missing. */
  readonly trimmedSeq: number;

  constructor(afterSeq: number, trimmedSeq: number) {
    super('EVENTS_TRIMMED', `Events after number ${afterSeq} were trimmed, up to at most number ${trimmedSeq}`);
    this.trimmedSeq = trimmedSeq;
  }
}

/** `INVALID_STATE_VALUE`: a state value does not fit its declared schema, or the schema failed. */
export class StateValidationError extends SessionError {
  static {
    brand(this, 'StateValidationError');
  }

  override readonly name = 'StateValidationError';
  readonly key: string;
  /**
   * The issues as the schema library words them. Empty if the schema itself failed; `cause` is what
   * it threw.
   */
  readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[];

  /** @param which Whether the value was to be stored or was stored already. */
  constructor(
    key: string,
    which: 'given' | 'stored',
    issues: StateValidationError['issues'],
    options: Pick<SessionErrorOptions, 'cause'> = {},
  ) {
    super('INVALID_STATE_VALUE', messageOf(key, which, issues), options);
    this.key = key;
    this.issues = issues;
  }
}

/** Says where the issues are, not what they say: some libraries quote the value. */
function messageOf(key: string, which: 'given' | 'stored', issues: StateValidationError['issues']): string {
  const subject = `state key ${JSON.stringify(key)}`;
  if (issues.length === 0) return `Schema of ${subject} failed instead of saying whether a value fits`;
  const path = issues.map((issue) => formatPath((issue.path ?? []).map(stepOf))).find((each) => each !== '');
  const count = issues.length === 1 ? '1 issue' : `${issues.length} issues`;
  const found = `(${count}${path === undefined ? '' : ` at ${path}`}, see error.issues)`;
  return which === 'given'
    ? `Value of ${subject} does not fit its schema ${found}`
    : `Stored value of ${subject} does not fit its schema ${found}; it was written under another one: set or remove the key, or let the schema take it`;
}

/** In Standard Schema a step of a path is a key, or an object with a `key`. */
function stepOf(step: unknown): string | number {
  const key = typeof step === 'object' && step !== null ? (step as { readonly key?: unknown }).key : step;
  return typeof key === 'number' ? key : String(key);
}

/**
 * A path in a value as code would write it, `user.items[2]["first name"]`, cut if it is long. Names
 * that code does not have, such as addresses, are left out.
 */
export function formatPath(path: readonly (string | number)[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z_$][\w$]{0,39}$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += /^[\w$ -]{1,40}$/.test(step) ? `["${step}"]` : '["…"]';
    if (text.length > 100) return `${text.slice(0, 100)}…`;
  }
  return text;
}

/** The same words whatever the reason, so that the caller learns none. */
export function notFound(): SessionError {
  return new SessionError('SESSION_NOT_FOUND', 'Session is unknown, has expired or was ended');
}
