/** Requests that came over a loopback connection. Only the adapter for `node:http` knows. */
const overLoopback = new WeakSet<Request>();

/**
 * Notes the local address of a request's connection; `undefined`: it has none, such as a Unix
 * socket.
 */
export function noteAddress(request: Request, localAddress: string | undefined): void {
  if (localAddress !== undefined && isLoopbackAddress(localAddress)) overLoopback.add(request);
}

/** Whether a request is known to have come from this machine, from a browser or a proxy. */
export function cameOverLoopback(request: Request): boolean {
  return overLoopback.has(request);
}

/** Whether a `Host` always names the machine that resolves it (RFC 6761, section 6.3). */
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
