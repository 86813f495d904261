import { checkOptions, kindOf, MAX_TIMER_MS, type OptionNames, whole } from '@mcp-session/core/backend';
import type { BroadcastNotification, BroadcastOptions } from '../cluster/broadcast.ts';
import type { EndAllOptions } from '../session/end-all.ts';

/** What the handler gets besides a request. */
export interface FetchOptions<AuthInfo> {
  /** The verified token. Verify it for each request, in front of the handler. Default: none. */
  readonly authInfo?: AuthInfo | undefined;
  /**
   * The body if a framework has read it: the parsed JSON, or its text or bytes. The request's own
   * body is not read then. Default: none.
   */
  readonly parsedBody?: unknown;
}

/** How to close a handler. */
export interface CloseOptions {
  /**
   * How long running requests may take to end, in milliseconds. For the first half second of it,
   * new requests are still served: they can be under way on connections that the server accepted
   * before it stopped listening. Later ones get 503. Default: `0`, which aborts everything at once.
   */
  readonly drainMs?: number;
}

/** Serves MCP over Streamable HTTP, with sessions that live in a store. */
export interface SessionHandler<AuthInfo> {
  /**
   * Answers a request to the MCP endpoint. Never rejects. For anything but a web-standard request,
   * such as that of `node:http`, the response is 500, and `onError` gets the remedy. The functions
   * of a handler need no `this`: `export const POST = handler.fetch`.
   */
  readonly fetch: (request: Request, options?: FetchOptions<AuthInfo>) => Promise<Response>;
  /**
   * Stops the handler: lets running requests end for `drainMs`, aborts the others and stores an
   * error as their response, and tells the clients of open streams to reconnect. New requests get
   * 503 then. Sessions stay in the store, which stays open. Safe to call again.
   */
  readonly close: (options?: CloseOptions) => Promise<void>;
  /**
   * Sends a notification to the standalone stream of every session, on whichever node it is open. A
   * client without an open stream gets it when it opens one. A broadcast does not renew sessions.
   * It costs one append per session.
   *
   * @returns How many sessions got it. Sessions that begin or end meanwhile may be left out.
   * @throws TypeError for anything but `{ method, params }`. SessionError `STORE_…` if the store
   * fails. Some sessions may have got it then.
   */
  readonly broadcast: (notification: BroadcastNotification, options?: BroadcastOptions) => Promise<number>;
  /**
   * Ends every session of a principal on all nodes: aborts its requests, closes its streams, and
   * answers later requests with 404. Sessions that the application itself created for the principal
   * end too, unless they have a `kind` of their own. Use it when access is revoked. Let the token
   * verifier refuse the tokens first, since a request that is already verified can still begin a
   * session. On DynamoDB, a session that began within about the last second can be left out.
   *
   * @returns How many sessions were ended.
   * @throws TypeError without a principal. SessionError `STORE_…` if the store fails. Some sessions
   * may have ended then.
   */
  readonly endAll: (options: EndAllOptions) => Promise<number>;
  /** How many sessions this process has in memory. */
  readonly localSessions: number;
}

const CLOSE: OptionNames<CloseOptions> = { drainMs: ['drain', 'timeout', 'timeoutMs', 'graceMs'] };

/** Names that are mistaken for `authInfo` and `parsedBody`. */
const MISTAKEN = new Map([
  ...['auth', 'authinfo', 'authInformation', 'token', 'user', 'principal'].map((name) => [name, 'authInfo'] as const),
  ...['body', 'parsedbody', 'parsed'].map((name) => [name, 'parsedBody'] as const),
]);

/**
 * Checks the options of a request. Platforms call an exported `handler.fetch` with a second
 * argument of their own, such as the `params` of Next.js. So an unknown name is refused only if it
 * looks like one of these options: without `authInfo`, a request is anonymous.
 *
 * @throws TypeError
 */
export function fetchOptionsOf<AuthInfo>(options: FetchOptions<AuthInfo> | null): FetchOptions<AuthInfo> {
  if (options === null) return {};
  if (typeof options !== 'object') {
    throw new TypeError(`Options of fetch are ${kindOf(options)}, not an object such as { authInfo }`);
  }
  for (const name of Object.keys(options)) {
    const meant = MISTAKEN.get(name);
    if (meant !== undefined) throw new TypeError(`Unknown option ${name} of fetch; did you mean ${meant}?`);
  }
  return options;
}

/** @throws TypeError or RangeError that names the option. */
export function drainMsOf(options: CloseOptions): number {
  checkOptions(options, CLOSE, 'close');
  return whole('drainMs', options.drainMs, 0, 0, MAX_TIMER_MS);
}
