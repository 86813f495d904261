import { StudioError } from './answers.ts';

/** What proxies add to a request. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];

/**
 * Refuses a request unless it came over a loopback connection to a name of this machine. The name
 * is checked too, because an attacker's page can resolve its own name to this machine (DNS
 * rebinding).
 *
 * @throws StudioError 403
 */
export function checkLoopback(request: Request, remoteAddress: string | undefined): void {
  if (remoteAddress === undefined) {
    throw refused(
      'the address of the connection is unknown: use toNodeListener, give fetch a remoteAddress, or give createStudio an authorize',
    );
  }
  if (!isLoopbackAddress(remoteAddress) || FORWARDED.some((name) => request.headers.has(name))) {
    throw refused('the studio answers on loopback only, unless createStudio gets an authorize');
  }
  if (!isLoopbackHost(hostOf(request))) throw refused('the Host is not a name of this machine');
  // A proxy on this machine that adds no header and sets Host looks like loopback. The browser of
  // its users still says which page sends a request.
  const origin = request.headers.get('origin');
  if (origin !== null && origin !== 'null' && !isLoopbackHost(hostOfUrl(origin) ?? '')) {
    throw refused('the page is at a name of another machine, so a proxy is between: give createStudio an authorize');
  }
}

/**
 * Refuses a request that a page of another origin sends. Browsers say with `Sec-Fetch-Site` who
 * sends a request, on origins that they trust; elsewhere `Origin` says it.
 *
 * @throws StudioError 403
 */
export function checkOrigin(request: Request): void {
  const site = request.headers.get('sec-fetch-site');
  if (site === 'same-origin') return;
  const origin = request.headers.get('origin');
  if (site !== null && site !== 'none') throw refused('the request comes from a page of another site');
  if (origin !== null && hostOfUrl(origin) !== hostOf(request).toLowerCase()) {
    throw refused('the request comes from a page of another origin');
  }
}

function refused(why: string): StudioError {
  return new StudioError(403, 'FORBIDDEN', `Refused: ${why}`);
}

function hostOf(request: Request): string {
  return request.headers.get('host') ?? new URL(request.url).host;
}

function hostOfUrl(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined;
}

function isLoopbackHost(host: string): boolean {
  const name = hostOfUrl(`http://${host}`)?.replace(/:\d+$/, '') ?? '';
  return name === 'localhost' || name.endsWith('.localhost') || isLoopbackAddress(name.replace(/^\[(.*)\]$/, '$1'));
}

function isLoopbackAddress(address: string): boolean {
  return /^(?:(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4})$/i.test(address);
}
