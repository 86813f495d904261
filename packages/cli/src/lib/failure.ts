import { SessionError, type SessionErrorCode } from '@mcp-session/core';

/** Exit codes of the command. The README lists them. */
export const EXIT = { ok: 0, failed: 1, usage: 2, notFound: 3, unhealthy: 4 } as const;

/** A failure that the command explains itself. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  /** What to do, as a sentence. */
  readonly remedy: string | undefined;

  constructor(message: string, remedy?: string, exitCode: number = EXIT.usage) {
    super(message);
    this.remedy = remedy;
    this.exitCode = exitCode;
  }
}

const REMEDIES: Partial<Record<SessionErrorCode, string>> = {
  SESSION_NOT_FOUND: 'It has expired or was ended meanwhile. List live sessions with: mcp-session ls',
  EVENTS_TRIMMED: 'Leave out --after to read what is left.',
  INVALID_CURSOR: 'Give --after an event id of this session, as "mcp-session events --json" prints it.',
  INVALID_STREAM_ID: 'Give --stream a name as "mcp-session events" prints it.',
  INVALID_SESSION_ID: 'Give an id as "mcp-session ls" prints it.',
  INVALID_KIND: 'Give --kind a name as "mcp-session count" prints it.',
  INVALID_PRINCIPAL: 'Give --principal a text, or use --anonymous.',
  STORE_BUSY: 'Another process is using the store heavily. Try again.',
  STORE_CORRUPT: 'Restore the store from a backup, or give --store the right file.',
  STORE_DENIED: 'Check the password, the role and its rights. "mcp-session doctor" lists the rights.',
  STORE_FAILED: 'Look up this code in the manual of the database, and check the parameters in --store.',
  STORE_READ_ONLY: 'Use the primary server, or a file that this user may write.',
  STORE_SCHEMA_TOO_NEW: 'Install the version of the backend that your server has.',
  STORE_UNAVAILABLE: 'Check the address in --store, and whether the database is running.',
};

/** What a person reads about a failure, and how the process ends. */
export function describeFailure(error: unknown): { readonly text: string; readonly exitCode: number } {
  if (error instanceof CliError) return { text: withRemedy(error.message, error.remedy), exitCode: error.exitCode };
  if (error instanceof SessionError) {
    const exitCode = error.code === 'SESSION_NOT_FOUND' ? EXIT.notFound : EXIT.failed;
    const where = error.store === undefined ? '' : `\nStore: ${error.store}`;
    // Many messages about a database say after a semicolon what to do, and know more than the code.
    const hasRemedy = error.code.startsWith('STORE_') && error.message.includes('; ');
    const remedy = hasRemedy ? undefined : REMEDIES[error.code];
    // Messages about a database quote no argument.
    const message = error.code.startsWith('STORE_') ? error.message : withoutValues(error.message);
    return { text: withRemedy(`${message} (${error.code})`, remedy) + causeOf(error) + where, exitCode };
  }
  // Options that a backend or core refuses.
  if (error instanceof TypeError || error instanceof RangeError) {
    const remedy = 'Run "mcp-session help" for the options.';
    return { text: withRemedy(withoutValues(error.message), remedy), exitCode: EXIT.usage };
  }
  const what = error instanceof Error ? error.message : String(error);
  return { text: withRemedy(`Unexpected failure: ${what}`, 'Report it with the command.'), exitCode: EXIT.failed };
}

/** A message without the values that it quotes: an address can be in the place of any argument. */
function withoutValues(message: string): string {
  return message.replaceAll(/"(?:[^"\\]|\\.)*"/g, '…');
}

/** What the driver said, where the code says nothing. */
function causeOf({ code, cause }: SessionError): string {
  return code === 'STORE_FAILED' && cause instanceof Error ? `\nCause: ${cause.message}` : '';
}

function withRemedy(message: string, remedy: string | undefined): string {
  return remedy === undefined ? message : `${message}\n${remedy}`;
}
