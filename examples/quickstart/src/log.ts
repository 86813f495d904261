import type { LogFields, Logger } from '@mcp-session/http/v2';

const NO_SESSION = '-';
/** As wide as the first part of an id with its ellipsis. */
const SESSION_WIDTH = 14;

/**
 * A log for people: a line for each session, call, restore and end.
 *
 * @param quiet Leaves these lines out, but no warning and no error.
 */
export function createLog(quiet: boolean): Logger {
  const warn = (fields: LogFields, message: string): void => {
    const what = describe(message.replace(/^@mcp-session\/http: /, ''), fields);
    if (what !== undefined) console.log(lineOf(fields, what));
  };
  const line = quiet ? () => undefined : warn;
  return {
    debug: line,
    info: line,
    warn,
    error: ({ err, ...fields }, message) => console.error(lineOf(fields, message), err),
  };
}

function lineOf({ session = NO_SESSION }: LogFields, what: string): string {
  // A client chooses its name, so no control character reaches the terminal.
  const safe = what.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?');
  return `${new Date().toTimeString().slice(0, 8)}  ${String(session).padEnd(SESSION_WIDTH)}  ${safe}`;
}

/** What happened, in words. `undefined`: a reader of a terminal need not know. */
function describe(message: string, fields: LogFields): string | undefined {
  const { client = 'a client without a name', protocolVersion, method, name, error, status, reason } = fields;
  const duration = `${String(fields['durationMs'])} ms`;
  switch (message) {
    case 'session began':
      return `began: ${String(client)}, protocol ${String(protocolVersion)}`;
    case 'session restored':
      return `continues, restored from the store in ${duration}: ${String(client)}`;
    case 'session ended':
      return 'ended';
    case 'request answered': {
      const call = [method, name].filter((part) => typeof part === 'string').join(' ');
      return `${call}: ${error === undefined ? '' : `error ${JSON.stringify(error)}, `}${duration}`;
    }
    case 'request refused':
      return `refused ${String(method)}: ${String(status)}, ${String(reason)}`;
    case 'node has ended; its requests get an error':
      return 'a process has died; its call gets an error';
    case 'handler is closing':
      return 'stops';
    case 'session released from memory':
    case 'handler is closed':
      return undefined;
    default:
      return message;
  }
}
