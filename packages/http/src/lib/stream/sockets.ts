import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';

/** The two ends of a TCP connection, as sockets of `node:net` name them. */
export interface SocketEnds {
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/** The sockets of requests. Only `toNodeHandler` knows them. */
const sockets = new WeakMap<Request, SocketEnds>();

/** Notes the socket over which a request came. */
export function noteSocket(request: Request, socket: SocketEnds): void {
  sockets.set(request, socket);
}

/**
 * Whether the peer of a request's socket does not acknowledge what was sent to it. Node does not
 * say; Linux does (proc_net_tcp in the kernel's documentation). Elsewhere always `false`.
 */
export async function isUnacknowledged(request: Request): Promise<boolean> {
  const socket = sockets.get(request);
  if (socket === undefined) return false;
  for (const file of ['/proc/self/net/tcp', '/proc/self/net/tcp6']) {
    const table = await readFile(file, 'latin1').catch(() => '');
    const found = isUnacknowledgedIn(table, socket);
    if (found !== undefined) return found;
  }
  return false;
}

/**
 * The same in a table of the kernel; `undefined`: it does not have the socket.
 *
 * The columns are number, local end, remote end, state, `tx_queue:rx_queue`, `tr:tm->when` and
 * retransmissions. Bytes wait in `tx_queue` until they are acknowledged. A client that is only slow
 * has acknowledged them before the kernel sends them again.
 */
export function isUnacknowledgedIn(
  table: string,
  { localPort, remoteAddress, remotePort }: SocketEnds,
): boolean | undefined {
  if (localPort === undefined || remoteAddress === undefined || remotePort === undefined) return undefined;
  const end = `${encoded(remoteAddress)}:${hex(remotePort)}`;
  for (const line of table.split('\n')) {
    const [, local, remote, , queues = '', , retransmissions = ''] = line.trim().split(/\s+/);
    // An IPv4 client of a socket for both families stands among IPv6.
    if (remote?.endsWith(end) !== true || local?.endsWith(`:${hex(localPort)}`) !== true) continue;
    return Number.parseInt(queues, 16) > 0 && Number.parseInt(retransmissions, 16) > 0;
  }
  return undefined;
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

/** An address as the kernel writes it: in words of four bytes, the last byte first. */
function encoded(address: string): string {
  const mapped = address.replace(/^::ffff:(?=\d+\.)/i, '');
  const bytes = isIPv4(mapped) ? mapped.split('.').map(Number) : bytesOf(address);
  const words = Array.from({ length: bytes.length / 4 }, (_, word) => bytes.slice(word * 4, word * 4 + 4).toReversed());
  return Buffer.from(words.flat()).toString('hex').toUpperCase();
}

function bytesOf(address: string): number[] {
  const [start = '', end] = address.replace(/%.*$/, '').split('::');
  const [before, after] = [groupsOf(start), groupsOf(end ?? '')];
  const groups = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
  return groups.flatMap((group) => [group >> 8, group & 255]);
}

function groupsOf(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}
