import { checkOptions, kindOf, type OptionNames, whole } from '@mcp-session/core/backend';
import { MAX_TIMER_MS } from '../runtime/timers.ts';

/** What is known of a request besides the request. */
export interface FetchOptions<AuthInfo> {
  /** The verified token: verified anew for each request, by whatever stands in front of the handler. */
  readonly authInfo?: AuthInfo | undefined;
  /** The body as a framework has parsed it, where it has; the request's own body is not read then. */
  readonly parsedBody?: unknown;
}

/** How a handler is closed. */
export interface CloseOptions {
  /** How long requests that are being answered may take to end, in milliseconds; new ones are refused. Default: `0`. */
  readonly drainMs?: number;
}

const CLOSE: OptionNames<CloseOptions> = { drainMs: ['drain', 'timeout', 'timeoutMs', 'graceMs'] };

/** Names under which people look for `authInfo` and `parsedBody`. */
const MISTAKEN = new Map([
  ...['auth', 'authinfo', 'authInformation', 'token', 'user', 'principal'].map((name) => [name, 'authInfo'] as const),
  ...['body', 'parsedbody', 'parsed'].map((name) => [name, 'parsedBody'] as const),
]);

/**
 * The options of a request. Platforms call an exported `handler.fetch` with what they have as the second argument, such as the `params` of Next.js, so that a name
 * that is not known is refused only where it looks like one of ours: without `authInfo` a request is nobody's.
 *
 * @throws TypeError
 */
export function fetchOptionsOf<AuthInfo>(options: FetchOptions<AuthInfo> | null): FetchOptions<AuthInfo> {
  if (options === null) return {};
  if (typeof options !== 'object')
    throw new TypeError(`Options of fetch are ${kindOf(options)}, not an object such as { authInfo }`);
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
