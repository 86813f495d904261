import { once } from 'node:events';
import {
  Agent,
  createServer,
  request,
  type ClientRequest,
  type IncomingMessage,
  type RequestListener,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** How a request gives the length of its body. */
export type Framing = 'length' | 'chunked';

export interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answered {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  /** Whether an earlier request was sent on the same connection. */
  readonly isReused: boolean;
}

/** The port of a server that ends with its test. */
export async function listening(listener: (...args: Parameters<RequestListener>) => unknown): Promise<number> {
  const server = createServer((request, response) => void listener(request, response)).listen(0, '127.0.0.1');
  // As behind a load balancer: a connection that hangs does not end by itself.
  server.keepAliveTimeout = 65_000;
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** One keep-alive connection to this machine. */
export class Connection {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
    onTestFinished(() => this.#agent.destroy());
  }

  /** Sends a request with a whole body. @throws Error if there is no response in 8 seconds. */
  async send(sent: Sent, body: string, framing: Framing = 'length'): Promise<Answered> {
    const headers = { ...sent.headers, ...framed(body.length, framing) };
    const begun = this.begin({ ...sent, headers });
    begun.end(body);
    return answerOf(begun);
  }

  /** Begins a request, whose body the caller sends. */
  begin({ method = 'POST', path, headers = {} }: Sent): ClientRequest {
    const signal = AbortSignal.timeout(8_000);
    return request({ agent: this.#agent, port: this.#port, host: '127.0.0.1', method, path, headers, signal });
  }
}

/** The header that says how long a body is. */
export function framed(length: number, framing: Framing): Record<string, string> {
  return framing === 'length' ? { 'content-length': String(length) } : { 'transfer-encoding': 'chunked' };
}

export async function answerOf(begun: ClientRequest): Promise<Answered> {
  const [response] = (await once(begun, 'response')) as [IncomingMessage];
  const { statusCode: status, headers } = response;
  let text = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) text += chunk;
  return { status, headers, text, isReused: begun.reusedSocket };
}
