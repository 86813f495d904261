import type { CancellationReason } from '@aws-sdk/client-dynamodb';
import { SessionError, type SessionErrorCode, type SessionErrorOptions } from '@mcp-session/core';

/** Why a failed request may be retried. */
export type RetryKind =
  /** Another transaction is writing an item. Nothing was written. */
  | 'conflict'
  /** The request exceeded the capacity. Nothing was written. */
  | 'throttled'
  /** The request did not reach DynamoDB. Nothing was written. */
  | 'unreachable'
  /** DynamoDB failed, or its answer was lost. A write may have been done. */
  | 'unanswered';

interface Meaning extends Omit<SessionErrorOptions, 'cause'> {
  readonly code: SessionErrorCode;
  /** Follows "Session store". Clients may read it. */
  readonly text: string;
}

const denied: Meaning = {
  code: 'STORE_DENIED',
  text: 'refused the AWS credentials, or they do not allow the action; check them and the policy that @mcp-session/dynamodb documents',
};

const noCredentials: Meaning = {
  code: 'STORE_DENIED',
  text: 'was not called, because no AWS credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (any values for DynamoDB Local), or give the process a role or a profile',
};

const noRegion: Meaning = {
  code: 'STORE_UNAVAILABLE',
  text: 'has no AWS region; set option region or AWS_REGION',
};

const throttled: Meaning = {
  code: 'STORE_BUSY',
  text: 'was throttled at every attempt; try again later, or give the tables more capacity',
  retryable: true,
};

/** A partition allows 1,000 writes per second, and a session has one partition. */
const throttledPartition: Meaning = {
  code: 'STORE_BUSY',
  text: 'was throttled at every attempt for this session, which exceeds the capacity of its partition; try again later',
  retryable: true,
  scope: 'session',
};

const conflict: Meaning = {
  code: 'STORE_BUSY',
  text: 'had other transactions on the same session at every attempt; try again later',
  retryable: true,
  scope: 'session',
};

const unanswered: Meaning = {
  code: 'STORE_UNAVAILABLE',
  text: 'could not be reached or did not answer at any attempt',
  retryable: true,
};

const full: Meaning = {
  code: 'STORE_FULL',
  text: 'has 10 GB of events of this session, the maximum of its index; nothing was written',
  scope: 'session',
};

// Names of the service's errors
// (docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html).
const meanings: Record<string, Meaning> = {
  AccessDeniedException: denied,
  CredentialsProviderError: noCredentials,
  ExpiredTokenException: denied,
  IncompleteSignatureException: denied,
  InvalidSignatureException: denied,
  ItemCollectionSizeLimitExceeded: full,
  ItemCollectionSizeLimitExceededException: full,
  MissingAuthenticationToken: denied,
  MissingAuthenticationTokenException: denied,
  ResourceNotFoundException: {
    code: 'STORE_UNAVAILABLE',
    text: 'has no such table or index; create the tables as @mcp-session/dynamodb documents, or set autoCreateTables',
  },
  UnrecognizedClientException: denied,
};

const retryKinds: Record<string, RetryKind> = {
  InternalServerError: 'unanswered',
  LimitExceededException: 'throttled',
  ProvisionedThroughputExceeded: 'throttled',
  ProvisionedThroughputExceededException: 'throttled',
  ReplicatedWriteConflictException: 'conflict',
  RequestLimitExceeded: 'throttled',
  ServiceUnavailable: 'unanswered',
  ServiceUnavailableException: 'unanswered',
  ThrottlingError: 'throttled',
  ThrottlingException: 'throttled',
  TimeoutError: 'unanswered',
  TransactionConflict: 'conflict',
  TransactionConflictException: 'conflict',
  TransactionInProgressException: 'conflict',
};

/**
 * Limits of the account and of table operations. Other throttling is per partition unless a reason
 * says so.
 */
const OF_THE_STORE = new Set(['LimitExceededException', 'RequestLimitExceeded']);

const texts: Record<Exclude<RetryKind, 'throttled'>, Meaning> = { conflict, unreachable: unanswered, unanswered };

/** Node's error codes for a connection that was never made. */
const UNSENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** Why a transaction was cancelled, a reason for each item; `undefined` for any other error. */
export function reasonsOf(error: unknown): readonly CancellationReason[] | undefined {
  if (!(error instanceof Error) || error.name !== 'TransactionCanceledException') return undefined;
  return 'CancellationReasons' in error ? ((error.CancellationReasons ?? []) as CancellationReason[]) : [];
}

/** True if a condition did not hold, which is an answer and not a failure. */
export function isConditionFailure(error: unknown): boolean {
  if (error instanceof Error && error.name === 'ConditionalCheckFailedException') return true;
  return reasonsOf(error)?.some(({ Code }) => Code === 'ConditionalCheckFailed') === true;
}

/** @returns `undefined` if a retry is useless. */
export function retryKindOf(error: unknown): RetryKind | undefined {
  if (!(error instanceof Error)) return undefined;
  const codes = (reasonsOf(error) ?? []).flatMap(({ Code = 'None' }) => (Code === 'None' ? [] : [Code]));
  // Of several reasons, the longest lasting one counts.
  if (codes.length > 0) {
    const found = new Set(codes.map((code) => retryKinds[code]));
    if (found.has(undefined)) return undefined;
    return found.has('throttled') ? 'throttled' : 'conflict';
  }
  const known = retryKinds[error.name];
  if (known !== undefined) return known;
  if ('code' in error && typeof error.code === 'string' && /^E[A-Z_]+$/.test(error.code)) {
    return UNSENT.has(error.code) ? 'unreachable' : 'unanswered';
  }
  return statusOf(error) >= 500 ? 'unanswered' : undefined;
}

/** Facts besides the error. */
interface Circumstances {
  /** True if an attempt of a write may have been done. */
  readonly outcomeUnknown: boolean;
  /** Names the tables in errors, for operators. */
  readonly store: string;
}

/** Turns an error of the SDK into a `SessionError`. */
export function translateError(error: unknown, circumstances: Circumstances): SessionError {
  if (error instanceof SessionError) return error;
  const { code, text, ...facts } = meaningOf(error);
  return new SessionError(code, `Session store ${text}`, { ...facts, ...circumstances, cause: withoutAnswer(error) });
}

/**
 * A copy of the error without the SDK's response object, which leads to the request, whose headers
 * hold a session token.
 */
function withoutAnswer(error: unknown): unknown {
  if (!(error instanceof Error) || !Object.hasOwn(error, '$response')) return error;
  const { $response: _answer, ...properties } = Object.getOwnPropertyDescriptors(error) as PropertyDescriptorMap;
  return Object.create(Object.getPrototypeOf(error) as object, properties);
}

function meaningOf(error: unknown): Meaning {
  const kind = retryKindOf(error);
  if (kind === 'throttled') return isOfTheStore(error) ? throttled : throttledPartition;
  if (kind !== undefined) return texts[kind];
  const reason = reasonsOf(error)?.find(({ Code = 'None' }) => meanings[Code] !== undefined)?.Code;
  const name = error instanceof Error ? error.name : '';
  // The SDK throws this without a name of its own.
  if (error instanceof Error && name === 'Error' && error.message === 'Region is missing') return noRegion;
  // Without the SDK's message, which can hold ARNs, accounts and values.
  return meanings[reason ?? name] ?? { code: 'STORE_FAILED', text: `failed (${reason ?? (name || 'no name')})` };
}

/**
 * The reason for a partition is such as `TableWriteKeyRangeThroughputExceeded`
 * (docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html).
 */
function isOfTheStore(error: unknown): boolean {
  if (!(error instanceof Error)) return true;
  const given =
    'ThrottlingReasons' in error ? error.ThrottlingReasons : 'throttlingReasons' in error && error.throttlingReasons;
  const reasons = Array.isArray(given) ? (given as { readonly reason?: string }[]) : [];
  if (reasons.length > 0) return reasons.some(({ reason = '' }) => !reason.includes('KeyRange'));
  return OF_THE_STORE.has(error.name);
}

/** The SDK's error for items that every attempt of a batch left unprocessed. */
export function unprocessed(): Error {
  const error = new Error('Every attempt left the same items unprocessed');
  error.name = 'ProvisionedThroughputExceededException';
  return error;
}

/** The error of a call that conflicted too often. */
export function tooManyConflicts(maxConflicts: number, store: string): SessionError {
  return new SessionError(
    'STORE_BUSY',
    `Session store lost ${maxConflicts} times in a row against other writers of the same session; try again later`,
    { retryable: true, scope: 'session', store },
  );
}

/** The error of a read of all state, which others changed during each attempt. */
export function changesTooFast(store: string): SessionError {
  return new SessionError(
    'STORE_BUSY',
    'Session store could not read the whole state as of one moment, because others kept changing it; read only the keys that you need, or try again later',
    { retryable: true, scope: 'session', store },
  );
}

export function closed(store: string): SessionError {
  return new SessionError('STORE_CLOSED', 'Session store is closed', { store });
}

function statusOf(error: Error): number {
  if (!('$metadata' in error)) return 0;
  const { httpStatusCode } = error.$metadata as { readonly httpStatusCode?: number };
  return httpStatusCode ?? 0;
}
