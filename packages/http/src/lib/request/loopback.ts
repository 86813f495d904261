/** Requests that came over a connection of this machine with itself, as the bridge to `node:http` tells the handler. Other platforms do not say. */
const overLoopback = new WeakSet<Request>();

/** Notes the address at which a request's connection arrived here; `undefined`: it has none, as that of a socket in the file system. */
export function noteAddress(request: Request, localAddress: string | undefined): void {
  if (localAddress !== undefined && isLoopbackAddress(localAddress)) overLoopback.add(request);
}

/** Whether a request is known to have come from this machine, be it from a browser or a proxy. */
export function cameOverLoopback(request: Request): boolean {
  return overLoopback.has(request);
}

/** Whether a `Host` names this machine to itself, and to nobody else (RFC 6761, section 6.3). */
export function isLoopbackHost(host: string): boolean {
  if (!URL.canParse(`http://${host}`)) return false;
  const { hostname } = new URL(`http://${host}`);
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    isLoopbackAddress(hostname.replace(/^\[(.*)\]$/, '$1'))
  );
}

function isLoopbackAddress(address: string): boolean {
  return /^(?:(?:::ffff:)?127\.\d+\.\d+\.\d+|::1|::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4})$/.test(address);
}
