// A load balancer that knows nothing of sessions:
// `node proxy.ts 3000 http://127.0.0.1:3001 http://127.0.0.1:3002`
import { once } from 'node:events';
import { createServer, type IncomingMessage, request as send, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

export interface ProxyOptions {
  /** Default: any free port. */
  readonly port?: number;
  /** Closes it. */
  readonly signal?: AbortSignal;
  /** Is called when a node, counted from 0, has begun to answer. */
  readonly onAnswer?: (node: number, request: IncomingMessage, body: Buffer, status: number) => void;
}

/**
 * Sends each request to the next node. Skips a node that it cannot reach. If a node dies before it
 * answers, the proxy repeats requests that change nothing. For others it is unknown how far the
 * node came, and the client gets 502. A response that has begun ends with its node.
 *
 * @param nodes The URLs of the nodes: a live list, which may change.
 * @returns The URL of the proxy.
 */
export async function startProxy(nodes: readonly string[], options: ProxyOptions = {}): Promise<string> {
  const { port = 0, signal, onAnswer } = options;
  let next = 0;
  const forward = (from: IncomingMessage, body: Buffer, to: ServerResponse, triesLeft: number): void => {
    const node = next++ % nodes.length;
    const url = new URL(from.url ?? '/', nodes[node]);
    // A new connection for each request, so that a closed one is not mistaken for a dead node.
    const { method, headers } = from;
    const outgoing = send(url, { method, headers: { ...headers, host: url.host }, agent: false }, (answer) => {
      onAnswer?.(node, from, body, answer.statusCode ?? 0);
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      // Send the headers now: a stream may have no message for a while.
      to.flushHeaders();
      answer.once('error', () => to.destroy());
      answer.pipe(to);
    });
    to.once('close', () => outgoing.destroy());
    outgoing.once('error', (error: NodeJS.ErrnoException) => {
      if (to.headersSent || to.destroyed) to.destroy();
      else if (triesLeft > 0 && (error.code === 'ECONNREFUSED' || method === 'GET')) {
        forward(from, body, to, triesLeft - 1);
      } else to.writeHead(502).end();
    });
    outgoing.end(body);
  };
  const server = createServer((from, to) => {
    // Kept until the response begins, so that it can be sent again.
    from.toArray().then(
      (chunks: Buffer[]) => forward(from, Buffer.concat(chunks), to, nodes.length - 1),
      () => to.destroy(),
    );
  });
  signal?.addEventListener('abort', () => {
    server.close();
    server.closeAllConnections();
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port = '3000', ...nodes] = process.argv.slice(2);
  const onAnswer: ProxyOptions['onAnswer'] = (node, { method }, _, status) =>
    console.log(`${method} answered by ${nodes[node]}: ${status}`);
  const url = await startProxy(nodes, { port: Number(port), onAnswer });
  console.log(`Proxy listens on ${url}/mcp`);
}
