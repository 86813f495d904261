import { SessionError, type SessionErrorCode, type SessionErrorOptions } from '@mcp-session/core';

/** The database that an error is about. */
export interface Subject {
  /** Names the database in messages. */
  readonly label: string;
}

interface Meaning extends Omit<SessionErrorOptions, 'cause' | 'outcomeUnknown'> {
  readonly code: SessionErrorCode;
  /** Follows the name of the database. */
  readonly text: string;
  /** Whether the statement may have been committed before this came in its place. */
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

const refused: Meaning = {
  code: 'STORE_DENIED',
  text: 'refuses the login; check user, password and pg_hba.conf',
};

const unmigrated: Meaning = {
  code: 'STORE_FAILED',
  text: 'lacks our tables or functions, or has others of their names; run migratePostgres, and check the options schema and tablePrefix',
};

const conflicting: Meaning = {
  code: 'STORE_BUSY',
  text: 'rolled the statement back because of another one at the same time; nothing was written',
  retryable: true,
};

const untrusted: Meaning = {
  code: 'STORE_UNAVAILABLE',
  text: 'cannot be trusted: TLS failed; check sslmode in the URL and the authority of its certificate',
};

const damaged: Meaning = { code: 'STORE_CORRUPT', text: 'is damaged; restore it from a backup' };

const full: Meaning = { code: 'STORE_FULL', text: 'has no room left on its disk; nothing of this call was written' };

const busy: Meaning = {
  code: 'STORE_BUSY',
  text: 'has no connection left; lower the option maxConnections of its clients, raise max_connections or put a pooler in between',
  retryable: true,
};

const unprepared: Meaning = {
  code: 'STORE_FAILED',
  text: 'does not keep prepared statements, as behind a pooler in transaction mode; set the option prepare to false',
};

// SQLSTATEs (postgresql.org/docs/current/errcodes-appendix.html), codes of postgres.js, and codes of Node's sockets. A class of SQLSTATEs stands by
// its first two characters and means what is not named in full.
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
  CONNECTION_ENDED: { code: 'STORE_CLOSED', text: 'is reached by a client that was ended' },
  SASL_SIGNATURE_MISMATCH: {
    code: 'STORE_DENIED',
    text: 'does not know the password itself: it may be another server',
  },

  '08': cutOff,
  '22021': { code: 'STORE_FAILED', text: 'cannot hold the text; its encoding has to be UTF8' },
  '25006': {
    code: 'STORE_READ_ONLY',
    text: 'is read-only: a replica, or set up so; the store needs the primary',
  },
  '26000': unprepared,
  '28': refused,
  '3D000': { code: 'STORE_UNAVAILABLE', text: 'does not exist; create it first' },
  '3F000': unmigrated,
  '40001': conflicting,
  '40P01': conflicting,
  '42501': {
    code: 'STORE_DENIED',
    text: 'lets the role not do this; grant it the rights that docs/operations.md lists',
  },
  '42703': unmigrated,
  '42P05': unprepared,
  '42883': unmigrated,
  '42P01': unmigrated,
  '53100': full,
  '53300': busy,
  '53400': { code: 'STORE_FULL', text: 'is at a limit of its configuration; nothing of this call was written' },
  '53': { code: 'STORE_FAILED', text: 'ran out of memory or another resource', retryable: true },
  '54': { code: 'STORE_FAILED', text: 'is at a limit of PostgreSQL itself; nothing of this call was written' },
  '55P03': { code: 'STORE_BUSY', text: 'did not get a lock in time', retryable: true },
  '57014': {
    code: 'STORE_BUSY',
    text: 'took longer for a statement than it is given and rolled it back; see the option statementTimeoutMs',
    retryable: true,
  },
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
 * Makes a `SessionError` of what the driver threw.
 *
 * @param writes Whether a write was sent. Where the connection is lost before its answer, it may have been committed. Any other failure is the server's word that it was
 * rolled back.
 */
export function translateError(
  error: unknown,
  { label }: Subject,
  { writes = false }: { readonly writes?: boolean } = {},
): SessionError {
  if (error instanceof SessionError) return error;
  const driverCode = codeOf(error);
  const meaning = meaningOf(driverCode);
  if (meaning === undefined) {
    // Not the driver's own words: PostgreSQL quotes values in some of them. They are in the cause.
    const said = driverCode === '' ? '' : ` with ${driverCode}`;
    return new SessionError('STORE_FAILED', `${label} failed${said}`, {
      cause: error,
      outcomeUnknown: writes && !isSqlState(driverCode),
    });
  }
  const { code, text, retryable = false } = meaning;
  return new SessionError(code, `${label} ${text}`, {
    cause: error,
    retryable,
    outcomeUnknown: writes && meaning.cutOff === true,
  });
}

function meaningOf(driverCode: string): Meaning | undefined {
  if (Object.hasOwn(meanings, driverCode)) return meanings[driverCode];
  if (isSqlState(driverCode)) return meanings[driverCode.slice(0, 2)];
  // Node has dozens of these (nodejs.org/api/tls.html, "X509 certificate error codes").
  return /CERT|TLS|SSL|UNABLE_TO_/.test(driverCode) ? untrusted : undefined;
}

/** Whether a pooler refused the connection because of a setting that comes with it. */
export function isRefusedParameter(error: unknown): boolean {
  return codeOf(error) === '08P01' && error instanceof Error && error.message.includes('startup parameter');
}

/** Whether a statement was rolled back because a row of its kind is there already (`unique_violation`). */
export function isDuplicate(error: unknown): boolean {
  return error instanceof SessionError && codeOf(error.cause) === '23505';
}

/** The `SQLSTATE`, or the code of postgres.js or of Node; empty where there is none. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code);
}
