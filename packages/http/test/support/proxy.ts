import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request as send,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** A load balancer without any stickiness. */
export interface Proxy {
  readonly url: URL;
  /** Breaks some of the connections whose answers have begun, as a network that fails does. */
  cut(share: number): void;
  close(): Promise<void>;
}

/**
 * How long an answer has been under way before it may be cut: a client without a cursor could not
 * come back.
 */
const CUT_AFTER_MS = 1_000;

/** How often a request is sent that no node accepts: nodes start slowly on a busy machine. */
const TRIES = 2_000;

/**
 * Sends each request to a random port of those that there are now. One that nobody accepts is tried
 * on another port; what breaks later breaks for the client as well.
 */
export async function startProxy(ports: () => readonly number[]): Promise<Proxy> {
  const answering = new Map<ServerResponse, number>();
  const sending = new WeakMap<ServerResponse, ClientRequest>();
  const forward = (from: IncomingMessage, body: Buffer, to: ServerResponse, tries: number): void => {
    const all = ports();
    const port = all[Math.floor(Math.random() * all.length)];
    const { method, url: path, headers } = from;
    const outgoing = send({ host: '127.0.0.1', port, method, path, headers, agent: false }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      answering.set(to, performance.now());
      answer.on('error', () => to.destroy());
      answer.on('aborted', () => to.destroy());
      answer.pipe(to);
    });
    sending.set(to, outgoing);
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' && tries > 0) {
        setTimeout(() => {
          if (!to.destroyed) forward(from, body, to, tries - 1);
        }, 10);
      } else to.destroy();
    });
    outgoing.end(body);
  };
  const server = createServer((from, to) => {
    const chunks: Buffer[] = [];
    to.once('close', () => {
      answering.delete(to);
      sending.get(to)?.destroy();
    });
    from.on('data', (chunk: Buffer) => chunks.push(chunk));
    from.on('end', () => forward(from, Buffer.concat(chunks), to, TRIES));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`),
    cut: (share) => {
      const bound = performance.now() - CUT_AFTER_MS;
      for (const [answer, since] of answering) if (since < bound && Math.random() < share) answer.destroy();
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
