import { SessionError, type SessionErrorCode, type SessionErrorOptions } from '@mcp-session/core';
import { NO_ANSWER, NO_CONNECTION } from './client/attempt.ts';

/** The database that an error is about. */
export interface Subject {
  /** Names the database for operators. No message contains it, because clients may see those. */
  readonly label: string;
}

/** Facts about the failed statement and its connection. */
export interface Circumstances {
  /**
   * True if a write was sent. If the connection is lost before its answer, it may have been
   * committed. Any other failure means that it was rolled back.
   */
  readonly writes?: boolean;
  readonly refusesTls?: boolean | undefined;
}

interface Meaning extends Omit<SessionErrorOptions, 'cause' | 'outcomeUnknown' | 'store'> {
  readonly code: SessionErrorCode;
  /** Follows the words "Session store". */
  readonly text: string;
  /** True if the statement may have been committed in spite of this error. */
  readonly cutOff?: boolean;
}

const unreachable: Meaning = {
  code: 'STORE_UNAVAILABLE',
  text: 'cannot be reached; check that the server runs and that host and port are right',
  retryable: true,
};

const cutOff: Meaning = {
  code: 'STORE_UNAVAILABLE',
  text: 'closed the connection before it answered',
  retryable: true,
  cutOff: true,
};

const starting: Meaning = {
  code: 'STORE_UNAVAILABLE',
  text: 'is starting up, shutting down or recovering',
  retryable: true,
};

const silence: Meaning = {
  code: 'STORE_UNAVAILABLE',
  text: 'did not answer in time',
  retryable: true,
  cutOff: true,
};

const crowded: Meaning = {
  code: 'STORE_BUSY',
  text: 'had no free connection in time: all were in use, or none could be opened; see the option maxConnections',
  retryable: true,
};

const plain: Meaning = {
  code: 'STORE_UNAVAILABLE',
  text: 'is on a server that offers no TLS, which sslmode in the URL requires; set up TLS on the server, or use sslmode=disable if the network is trusted',
};

const refused: Meaning = {
  code: 'STORE_DENIED',
  text: 'refuses the login; check user, password and pg_hba.conf',
};

const unmigrated: Meaning = {
  code: 'STORE_FAILED',
  text: 'lacks the tables or functions of this package, or has others with their names; run migratePostgres, and check the options schema and tablePrefix',
};

const conflicting: Meaning = {
  code: 'STORE_BUSY',
  text: 'rolled the statement back because of a concurrent one; nothing was written',
  retryable: true,
  scope: 'session',
};

const untrusted: Meaning = {
  code: 'STORE_UNAVAILABLE',
  text: 'cannot be trusted: TLS failed; check sslmode in the URL and the authority of its certificate',
};

const damaged: Meaning = { code: 'STORE_CORRUPT', text: 'is damaged; restore it from a backup' };

const full: Meaning = { code: 'STORE_FULL', text: 'has no room left on its disk; nothing of this call was written' };

const exhausted: Meaning = {
  code: 'STORE_BUSY',
  text: 'has no connection left; lower the option maxConnections of its clients, raise max_connections, or use a pooler',
  retryable: true,
};

const slow: Meaning = {
  code: 'STORE_BUSY',
  text: 'exceeded the time limit of a statement and rolled it back; see the option statementTimeoutMs',
  retryable: true,
};

const unprepared: Meaning = {
  code: 'STORE_FAILED',
  text: 'does not keep prepared statements, as behind a pooler in transaction mode; set the option prepare to false',
};

// SQLSTATEs (postgresql.org/docs/current/errcodes-appendix.html), codes of postgres.js, and codes
// of Node's sockets. Two characters stand for all codes of a class that are not listed in full.
const meanings: Record<string, Meaning> = {
  ECONNREFUSED: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ENOTFOUND: unreachable,
  EAI_AGAIN: unreachable,
  ENOENT: unreachable,
  CONNECT_TIMEOUT: unreachable,
  CONNECTION_CLOSED: cutOff,
  CONNECTION_DESTROYED: cutOff,
  ECONNRESET: cutOff,
  EPIPE: cutOff,
  ETIMEDOUT: cutOff,
  CONNECTION_ENDED: { code: 'STORE_CLOSED', text: 'uses a client that was ended' },
  SASL_SIGNATURE_MISMATCH: {
    code: 'STORE_DENIED',
    text: 'does not know the password itself; it may be another server',
  },

  '08': cutOff,
  '22021': { code: 'STORE_FAILED', text: 'cannot store the text; its encoding must be UTF8' },
  '25006': {
    code: 'STORE_READ_ONLY',
    text: 'is read-only: a replica, or set up so; the store needs the primary',
    // The connection may lead to a former primary. It is replaced, so a retry can succeed.
    retryable: true,
  },
  '26000': unprepared,
  '28': refused,
  '3D000': { code: 'STORE_UNAVAILABLE', text: 'has no database with this name; create it first' },
  '3F000': unmigrated,
  '40001': conflicting,
  '40P01': conflicting,
  '42501': {
    code: 'STORE_DENIED',
    text: 'does not permit this to its role; grant the role select, insert, update and delete on the tables of the schema, and create the tables with migratePostgres and a role that owns the schema',
  },
  '42703': unmigrated,
  '42P05': unprepared,
  '42883': unmigrated,
  '42P01': unmigrated,
  '53100': full,
  '53300': exhausted,
  '53400': { code: 'STORE_FULL', text: 'is at a limit of its configuration; nothing of this call was written' },
  '53': { code: 'STORE_FAILED', text: 'ran out of memory or another resource', retryable: true },
  '54': { code: 'STORE_FAILED', text: 'is at a limit of PostgreSQL itself; nothing of this call was written' },
  '55P03': { code: 'STORE_BUSY', text: 'did not get a lock in time', retryable: true, scope: 'session' },
  '57014': slow,
  '57P01': { ...starting, cutOff: true },
  '57P02': { ...starting, cutOff: true },
  '57P03': starting,
  '57P04': { code: 'STORE_UNAVAILABLE', text: 'was dropped' },
  '57P05': cutOff,
  '58': {
    code: 'STORE_FAILED',
    text: 'could not be read or written: the operating system of its server reported an error; check its disk',
    retryable: true,
  },
  XX001: damaged,
  XX002: damaged,
};

/**
 * Turns an error of the driver, {@link NO_CONNECTION} or {@link NO_ANSWER} into a `SessionError`.
 */
export function translateError(
  error: unknown,
  { label: store }: Subject,
  { writes = false, refusesTls = false }: Circumstances = {},
): SessionError {
  if (error instanceof SessionError) return error;
  const driverCode = codeOf(error);
  const meaning =
    error === NO_ANSWER ? silence : error === NO_CONNECTION ? crowded : meaningOf(error, driverCode, refusesTls);
  const cause = typeof error === 'symbol' ? {} : { cause: error };
  if (meaning === undefined) {
    // Without the driver's message, because PostgreSQL quotes values in some. It is in the cause.
    const said = driverCode === '' ? '' : ` with ${driverCode}`;
    const outcomeUnknown = writes && !isSqlState(driverCode);
    return new SessionError('STORE_FAILED', `Session store failed${said}`, { ...cause, outcomeUnknown, store });
  }
  const { code, text, retryable = false, scope = 'store' } = meaning;
  const outcomeUnknown = writes && meaning.cutOff === true;
  return new SessionError(code, `Session store ${text}`, { ...cause, retryable, outcomeUnknown, scope, store });
}

function meaningOf(error: unknown, driverCode: string, refusesTls: boolean): Meaning | undefined {
  if (Object.hasOwn(meanings, driverCode)) {
    const meaning = meanings[driverCode];
    if (meaning === slow && waitedForRow(error)) return { ...slow, scope: 'session' };
    return meaning === cutOff && refusesTls ? plain : meaning;
  }
  if (isSqlState(driverCode)) return meanings[driverCode.slice(0, 2)];
  // Node has dozens of codes for this (nodejs.org/api/tls.html, "X509 certificate error codes").
  return /CERT|TLS|SSL|UNABLE_TO_/.test(driverCode) ? (refusesTls ? plain : untrusted) : undefined;
}

/**
 * True if a statement was waiting for a locked row when its time ran out, so that only one session
 * is affected. The server says "while locking tuple (0,1) in relation …" in its own language
 * (XactLockTableWaitErrorCb in PostgreSQL's lmgr.c).
 */
function waitedForRow(error: unknown): boolean {
  return error instanceof Error && 'where' in error && /\(\d+,\d+\)/.test(String(error.where));
}

/** True if the server refused to write. */
export function isReadOnly(error: unknown): boolean {
  return codeOf(error) === '25006';
}

/**
 * True if a concurrent statement forced a rollback (`serialization_failure`, `deadlock_detected`).
 */
export function isConflict(error: unknown): boolean {
  return meanings[codeOf(error)] === conflicting;
}

/** True if a pooler refused the connection because of a startup parameter. */
export function isRefusedParameter(error: unknown): boolean {
  return codeOf(error) === '08P01' && error instanceof Error && error.message.includes('startup parameter');
}

/** True if a statement failed because its row exists already (`unique_violation`). */
export function isDuplicate(error: unknown): boolean {
  return error instanceof SessionError && codeOf(error.cause) === '23505';
}

/** The SQLSTATE, or the code of postgres.js or Node; empty if there is none. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code);
}
