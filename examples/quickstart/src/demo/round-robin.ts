import { once } from 'node:events';
import { createServer, type IncomingMessage, request as send, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A load balancer that knows nothing of sessions: each request goes to the next node. */
export interface RoundRobin {
  readonly url: string;
  /** How many requests each node has answered. */
  readonly answered: number[];
}

/** Stands in front of nodes, given by their URLs. One that does not answer is passed over. */
export async function startRoundRobin(nodes: readonly string[], signal: AbortSignal): Promise<RoundRobin> {
  const answered = nodes.map(() => 0);
  let next = 0;
  const forward = (from: IncomingMessage, body: Buffer, to: ServerResponse, tries: number): void => {
    const node = next++ % nodes.length;
    const url = new URL(nodes[node] ?? '');
    const headers = { ...from.headers, host: url.host };
    const outgoing = send(url, { method: from.method, headers, agent: false }, (answer) => {
      answered[node] = (answered[node] ?? 0) + 1;
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      // A node that dies takes the connection with it.
      answer.once('error', () => to.destroy());
      answer.pipe(to);
    });
    to.once('close', () => outgoing.destroy());
    outgoing.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' && tries > 1) forward(from, body, to, tries - 1);
      else to.destroy();
    });
    outgoing.end(body);
  };
  const server = createServer((from, to) => {
    void from.toArray().then(
      (chunks: Buffer[]) => forward(from, Buffer.concat(chunks), to, nodes.length),
      () => to.destroy(),
    );
  });
  signal.addEventListener('abort', () => {
    server.close();
    server.closeAllConnections();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/mcp`, answered };
}
