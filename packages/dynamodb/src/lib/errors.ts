import type { CancellationReason } from '@aws-sdk/client-dynamodb';
import { SessionError, type SessionErrorCode, type SessionErrorOptions } from '@mcp-session/core';

/** What can be done about a failed request. */
export type Trouble =
  /** Another transaction is at work on an item. Nothing was done. */
  | 'conflict'
  /** More was asked for than the capacity allows. Nothing was done. */
  | 'throttled'
  /** The request did not reach DynamoDB. Nothing was done. */
  | 'unreachable'
  /** DynamoDB failed, or its answer was lost: a write may have been done. */
  | 'unanswered';

interface Meaning extends Omit<SessionErrorOptions, 'cause'> {
  readonly code: SessionErrorCode;
  /** Follows the name of the database. */
  readonly text: string;
}

const denied: Meaning = {
  code: 'STORE_DENIED',
  text: 'refused the credentials, or they do not allow the action; check them and the policy that the package documents',
};

const throttled: Meaning = {
  code: 'STORE_BUSY',
  text: 'throttled every attempt; try again later, or give the tables more capacity',
  retryable: true,
};

const conflict: Meaning = {
  code: 'STORE_BUSY',
  text: 'had other transactions on the same session at every attempt; try again later',
  retryable: true,
};

const unanswered: Meaning = {
  code: 'STORE_UNAVAILABLE',
  text: 'could not be reached or did not answer at any attempt',
  retryable: true,
};

const full: Meaning = {
  code: 'STORE_FULL',
  text: 'holds 10 GB of events of this session, the most that its index takes; nothing was written',
};

// The names of errors are those of the service's API (docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html).
const meanings: Record<string, Meaning> = {
  AccessDeniedException: denied,
  CredentialsProviderError: denied,
  ExpiredTokenException: denied,
  IncompleteSignatureException: denied,
  InvalidSignatureException: denied,
  ItemCollectionSizeLimitExceeded: full,
  ItemCollectionSizeLimitExceededException: full,
  MissingAuthenticationToken: denied,
  MissingAuthenticationTokenException: denied,
  ResourceNotFoundException: {
    code: 'STORE_UNAVAILABLE',
    text: 'has no such table or index; create the tables as the package documents, or set autoCreateTables',
  },
  UnrecognizedClientException: denied,
};

const troubles: Record<string, Trouble> = {
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

const texts: Record<Trouble, Meaning> = { conflict, throttled, unreachable: unanswered, unanswered };

/** Codes of Node for a connection that was never made. */
const UNSENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** Why a transaction was cancelled, one reason for each of its items; `undefined` where the error is something else. */
export function reasonsOf(error: unknown): readonly CancellationReason[] | undefined {
  if (!(error instanceof Error) || error.name !== 'TransactionCanceledException') return undefined;
  return 'CancellationReasons' in error ? ((error.CancellationReasons ?? []) as CancellationReason[]) : [];
}

/** @returns `undefined` where trying again is of no use. */
export function troubleOf(error: unknown): Trouble | undefined {
  if (!(error instanceof Error)) return undefined;
  const codes = (reasonsOf(error) ?? []).flatMap(({ Code = 'None' }) => (Code === 'None' ? [] : [Code]));
  // Of several reasons the one that lasts counts.
  if (codes.length > 0) {
    const found = new Set(codes.map((code) => troubles[code]));
    if (found.has(undefined)) return undefined;
    return found.has('throttled') ? 'throttled' : 'conflict';
  }
  const known = troubles[error.name];
  if (known !== undefined) return known;
  if ('code' in error && typeof error.code === 'string' && /^E[A-Z_]+$/.test(error.code))
    return UNSENT.has(error.code) ? 'unreachable' : 'unanswered';
  return statusOf(error) >= 500 ? 'unanswered' : undefined;
}

/**
 * Makes a `SessionError` of what the SDK threw.
 *
 * @param outcomeUnknown Whether an attempt of a write may have been done.
 */
export function translateError(error: unknown, outcomeUnknown: boolean = false): SessionError {
  if (error instanceof SessionError) return error;
  const trouble = troubleOf(error);
  const reason = reasonsOf(error)?.find(({ Code = 'None' }) => meanings[Code] !== undefined)?.Code;
  const name = error instanceof Error ? error.name : '';
  const meaning = trouble === undefined ? meanings[reason ?? name] : texts[trouble];
  if (meaning !== undefined) {
    const { code, text, ...facts } = meaning;
    return new SessionError(code, `DynamoDB ${text}`, { ...facts, outcomeUnknown, cause: error });
  }
  const detail = error instanceof Error ? error.message : String(error);
  return new SessionError('STORE_FAILED', `DynamoDB failed: ${detail}`, { cause: error, outcomeUnknown });
}

/** A call lost against others on the same session until it gave up. */
export function lostEveryRace(maxConflicts: number): SessionError {
  return new SessionError(
    'STORE_BUSY',
    `DynamoDB had changes of the same session by others ${maxConflicts} times in a row; try again later`,
    { retryable: true },
  );
}

export function closed(): SessionError {
  return new SessionError('STORE_CLOSED', 'DynamoDB store is closed');
}

function statusOf(error: Error): number {
  if (!('$metadata' in error)) return 0;
  const { httpStatusCode } = error.$metadata as { readonly httpStatusCode?: number };
  return httpStatusCode ?? 0;
}
