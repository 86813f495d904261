import { SessionError, type SessionErrorCode, type SessionErrorOptions } from '@mcp-session/core';

/** The database that an error is about. */
export interface Subject {
  /** Names the database in errors, for operators. */
  readonly store: string;
}

interface Meaning extends Pick<SessionErrorOptions, 'retryable'> {
  readonly code: SessionErrorCode;
  /**
   * Follows "Session store". Tools pass messages on to clients, so it holds no path and no text of
   * the driver, which can quote values.
   */
  readonly text: string;
}

const corrupt: Meaning = {
  code: 'STORE_CORRUPT',
  text: 'is damaged; nothing was changed, restore it from a backup or let SQLite recover what it can (sqlite.org/recovery.html)',
};

const denied: Meaning = {
  code: 'STORE_DENIED',
  text: 'may not be used by this process; check the owner and mode of its file and of its folder',
};

// An extended code is listed where it differs from its family (sqlite.org/rescode.html).
const meanings: Record<string, Meaning> = {
  CLOSED: { code: 'STORE_CLOSED', text: 'is closed' },
  SQLITE_AUTH: denied,
  SQLITE_BUSY: {
    code: 'STORE_BUSY',
    text: 'stayed locked by another connection until the busy timeout ran out; keep other transactions short or raise the option busyTimeoutMs',
    retryable: true,
  },
  SQLITE_CANTOPEN: {
    code: 'STORE_UNAVAILABLE',
    text: 'cannot be opened; check that its path names a file, and that the process may create files in its folder',
  },
  SQLITE_CORRUPT: corrupt,
  SQLITE_FULL: {
    code: 'STORE_FULL',
    text: 'has no room left on its disk or under its max_page_count; nothing of this call was written',
  },
  SQLITE_IOERR: {
    code: 'STORE_FAILED',
    text: 'could not be read or written: the operating system reported an I/O error; check the disk',
    retryable: true,
  },
  SQLITE_LOCKED: {
    code: 'STORE_BUSY',
    text: 'is locked by another statement on the same handle; do not keep one open across an await',
    retryable: true,
  },
  SQLITE_NOMEM: { code: 'STORE_FAILED', text: 'ran out of memory', retryable: true },
  SQLITE_NOTADB: {
    code: 'STORE_CORRUPT',
    text: 'is not an SQLite database, or is encrypted; nothing was changed, choose another path',
  },
  SQLITE_PERM: denied,
  SQLITE_PROTOCOL: {
    code: 'STORE_BUSY',
    text: 'could not be locked because too many processes are opening it at once',
    retryable: true,
  },
  SQLITE_READONLY: {
    code: 'STORE_READ_ONLY',
    text: 'is read-only; the process needs write access to its file and to the folder',
  },
  SQLITE_READONLY_DBMOVED: {
    code: 'STORE_UNAVAILABLE',
    text: 'was moved, deleted or replaced while it was open; put its file back, or open the store again',
  },
};

/**
 * Turns an error of the driver into a `SessionError`.
 *
 * @param committing True if the commit of a write failed. After an I/O error its outcome is
 * unknown: its frames may be in the log although the flush failed. Any other failure has changed
 * nothing.
 */
export function translateError(
  error: unknown,
  { store }: Subject,
  { committing = false }: { readonly committing?: boolean } = {},
): SessionError {
  if (error instanceof SessionError) return error;
  const driverCode = codeOf(error);
  const meaning = meanings[driverCode] ?? meanings[driverCode.split('_', 2).join('_')];
  const { code, text, ...facts } = meaning ?? unforeseen(driverCode);
  const outcomeUnknown = committing && driverCode.startsWith('SQLITE_IOERR');
  return new SessionError(code, `Session store ${text}`, { ...facts, outcomeUnknown, store, cause: error });
}

function unforeseen(driverCode: string): Meaning {
  const named = /^[A-Z_]+$/.test(driverCode) ? ` with ${driverCode}` : '';
  return { code: 'STORE_FAILED', text: `failed${named}; the cause of this error says more` };
}

// better-sqlite3 itself throws a TypeError without a code.
const refusals = [
  ['connection is not open', 'CLOSED'],
  // The owner of a borrowed handle is iterating over a query.
  ['busy executing a query', 'SQLITE_LOCKED'],
] as const;

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return refusals.find(([part]) => error.message.includes(part))?.[1] ?? '';
}
