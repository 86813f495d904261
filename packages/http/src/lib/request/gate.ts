import { kindOf, texts } from '@mcp-session/core/backend';
import { HttpError } from '../protocol/http-errors.ts';
import { emptyOf } from '../protocol/buffered-body.ts';
import { cameOverLoopback, isLoopbackHost } from './loopback.ts';

/** In a list: allows every host, or every origin. */
const ANY = '*';
/**
 * The headers that a page may read besides the safelisted ones (Fetch standard, CORS-safelisted
 * response-header name).
 */
const EXPOSED = 'Mcp-Session-Id, Retry-After, WWW-Authenticate';
const METHODS = 'GET, POST, DELETE';
/** How long a browser may cache a preflight, in seconds. */
const MAX_AGE_SECONDS = '600';

/**
 * The origins whose pages are allowed: a list of them, any, or that of the host which they call.
 */
export type AllowedOrigins = readonly string[] | 'any' | 'same-host';

/** The options that say which requests are allowed. */
export interface GateOptions {
  readonly allowedHosts?: readonly string[] | undefined;
  readonly allowedOrigins?: AllowedOrigins | undefined;
}

/**
 * Refuses requests that a browser was tricked into sending: from pages of other origins, and to
 * host names that an attacker resolves to this machine (DNS rebinding; MCP 2025-11-25,
 * basic/transports, Security Warning). Allows the listed pages and answers their preflights.
 */
export class Gate {
  readonly #hosts: readonly string[] | undefined;
  readonly #origins: readonly string[] | undefined;
  /** Whether a request with a verified token may come from any origin. */
  readonly #trustsTokens: boolean;

  /** @throws TypeError or RangeError that names the option. */
  constructor({ allowedHosts, allowedOrigins }: GateOptions) {
    this.#hosts = texts('allowedHosts', allowedHosts)?.map(checkedHost);
    this.#origins = originsOf(allowedOrigins);
    this.#trustsTokens = allowedOrigins === undefined;
  }

  /**
   * @param isVerified Whether the request has a verified token. Without `allowedOrigins`, its
   * origin does not matter then if it carries the token itself: a browser adds no bearer token by
   * itself, so a page that has one did not trick anyone.
   * @throws HttpError 403
   */
  check(request: Request, isVerified: boolean): void {
    const host = request.headers.get('host') ?? new URL(request.url).host;
    if (!this.#isHostAllowed(request, host)) {
      const hint = this.#hosts === undefined ? ': behind a proxy on this machine, list it in allowedHosts' : '';
      throw new HttpError(403, `Invalid Host header: ${host}${hint}`);
    }
    if (isVerified && this.#trustsTokens && hasBearerToken(request)) return;
    const origin = request.headers.get('origin');
    if (origin !== null && !this.#isOriginAllowed(origin, host)) {
      throw new HttpError(403, `Invalid Origin header: ${origin}`);
    }
    // Browsers send no Origin with a GET of the same origin, a link or an image. Sec-Fetch-Site
    // says where it comes from.
    const site = request.headers.get('sec-fetch-site');
    if (origin === null && (site === 'cross-site' || site === 'same-site') && !this.#origins?.includes(ANY)) {
      throw new HttpError(403, `Invalid Sec-Fetch-Site header: ${site}, without Origin`);
    }
  }

  /** The response to a preflight; `undefined`: the request is none. Call it after `check`. */
  preflight({ method, headers }: Request): Response | undefined {
    if (method !== 'OPTIONS' || !headers.has('origin') || !headers.has('access-control-request-method')) {
      return undefined;
    }
    const answer = emptyOf(204);
    answer.headers.set('access-control-allow-methods', METHODS);
    // All requested headers: the page is trusted, and its client may send any header.
    answer.headers.set('access-control-allow-headers', headers.get('access-control-request-headers') ?? '');
    answer.headers.set('access-control-max-age', MAX_AGE_SECONDS);
    return answer;
  }

  /** Lets a listed page read the response to its request. */
  open({ headers }: Request, response: Response): Response {
    const origin = headers.get('origin');
    if (origin === null || !this.#isListed(origin)) return response;
    response.headers.set('access-control-allow-origin', origin);
    response.headers.set('access-control-expose-headers', EXPOSED);
    response.headers.append('vary', 'Origin');
    return response;
  }

  #isHostAllowed(request: Request, host: string): boolean {
    if (this.#hosts === undefined) return !cameOverLoopback(request) || isLoopbackHost(host);
    const given = host.toLowerCase();
    const name = withoutPort(given);
    return this.#hosts.some((each) => each === ANY || each === given || each === name);
  }

  #isOriginAllowed(origin: string, host: string): boolean {
    return this.#origins === undefined ? isOriginOf(origin, host) : this.#isListed(origin);
  }

  #isListed(origin: string): boolean {
    return this.#origins?.some((each) => each === ANY || each === origin) ?? false;
  }
}

/**
 * @returns `undefined`: that of the host. @throws TypeError or RangeError that names the option.
 */
function originsOf(given: unknown): readonly string[] | undefined {
  if (given === 'any') return [ANY];
  if (given === undefined || given === 'same-host') return undefined;
  if (!Array.isArray(given)) {
    const value = typeof given === 'string' ? JSON.stringify(given) : kindOf(given);
    throw new TypeError(`Option allowedOrigins is ${value}, not an array of strings, 'any' or 'same-host'`);
  }
  return texts('allowedOrigins', given)?.map(checkedOrigin);
}

function hasBearerToken({ headers }: Request): boolean {
  return /^bearer\s/i.test(headers.get('authorization') ?? '');
}

/**
 * Whether a page comes from this host. The scheme is not compared: behind a proxy that ends TLS,
 * this side does not know it.
 */
function isOriginOf(origin: string, host: string): boolean {
  const from = parsed(origin);
  return (
    from !== undefined && /^https?:$/.test(from.protocol) && from.host === parsed(`${from.protocol}//${host}`)?.host
  );
}

function parsed(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}

function withoutPort(host: string): string {
  return host.replace(/:\d+$/, '');
}

/** A name or an address, with or without a port. */
const HOST = /^(?:\[[0-9a-f:.]+\]|[^\s:/?#@[\]\\*]+)(?::\d{1,5})?$/i;

function checkedHost(host: string, index: number): string {
  if (host === ANY || HOST.test(host)) return host.toLowerCase();
  throw new RangeError(
    `Option allowedHosts[${index}] is ${JSON.stringify(host)}, not a host such as "mcp.example.com" or "localhost:3000", or "*" for any`,
  );
}

/** A scheme, a host, and a port unless it is the scheme's default: as browsers write it. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@\\*]+$/;

function checkedOrigin(origin: string, index: number): string {
  const url = parsed(origin);
  const isWeb = url !== undefined && /^https?:$/.test(url.protocol);
  if (origin === ANY || origin === 'null') return origin;
  if (!origin.includes(ANY) && (isWeb ? url.origin === origin : ORIGIN.test(origin))) return origin;
  const meant =
    isWeb && !origin.includes(ANY)
      ? `; did you mean ${JSON.stringify(url.origin)}?`
      : ' such as "https://app.example.com", or "*" for any';
  throw new RangeError(`Option allowedOrigins[${index}] is ${JSON.stringify(origin)}, not an origin${meant}`);
}
