import { once } from 'node:events';
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request as send,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { LambdaContext, LambdaEvent, LambdaHttpEvent, LambdaRestEvent, LambdaResult } from '../../src/lambda.ts';

type StreamHandler = (event: LambdaEvent, output: Writable, context: LambdaContext) => Promise<void>;

const STREAMS = Symbol.for('aws.lambda.runtime.handler.streaming');
/** Whatever else the runtime's stream is made of, this is what it lets a function have of it. */
const METHODS =
  'cork destroy end uncork write addListener on once prependListener off removeListener listenerCount emit setContentType'.split(
    ' ',
  );
const PROPERTIES =
  'destroyed writable writableFinished writableObjectMode writableEnded writableNeedDrain writableHighWaterMark writableCorked writableLength'.split(
    ' ',
  );

interface Output extends ClientRequest {
  setContentType(type: string): void;
  beforeFirstWrite?: () => void;
}

/**
 * Puts what the Node.js runtime of Lambda has into the global scope, for the length of a test:
 * `streamifyResponse` marks a function, and `HttpResponseStream.from` sends what is said of a
 * response before the first write, in JSON, with eight zero bytes behind it.
 *
 * After github.com/aws/aws-lambda-nodejs-runtime-interface-client (src/stream), and
 * docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html.
 */
export function installRuntime(): void {
  const awslambda = {
    streamifyResponse: (handler: StreamHandler): StreamHandler => Object.assign(handler, { [STREAMS]: 'response' }),
    HttpResponseStream: {
      from(output: Output, metadata: object): Output {
        output.setContentType('application/vnd.awslambda.http-integration-response');
        output.beforeFirstWrite = () => {
          output.write(JSON.stringify(metadata));
          output.write(new Uint8Array(8));
        };
        return output;
      },
    },
  };
  Object.assign(globalThis, { awslambda });
  onTestFinished(() => void Reflect.deleteProperty(globalThis, 'awslambda'));
}

/**
 * The stream that a function writes to: a request of the runtime's to the service behind it, of
 * which only some can be seen.
 */
function outputTo(url: URL): Writable {
  const inner = send(url, { method: 'POST', headers: { 'transfer-encoding': 'chunked' }, agent: false }) as Output;
  inner.setContentType = (type) => void inner.setHeader('content-type', type);
  inner.on('error', () => inner.destroy());
  const outer = {} as Output;
  for (const name of METHODS) {
    const method = Reflect.get(inner, name) as (...args: unknown[]) => unknown;
    Reflect.set(outer, name, method.bind(inner));
  }
  for (const name of PROPERTIES) Object.defineProperty(outer, name, { get: () => Reflect.get(inner, name) as unknown });
  const write = outer.write.bind(outer) as (...args: unknown[]) => boolean;
  outer.write = (...args: unknown[]): boolean => {
    const { beforeFirstWrite } = outer;
    delete outer.beforeFirstWrite;
    beforeFirstWrite?.();
    return write(...args);
  };
  return outer;
}

type ToEvent = (request: IncomingMessage, body: Buffer) => LambdaEvent;

function base64(body: Buffer): Pick<LambdaHttpEvent, 'isBase64Encoded'> & { readonly body?: string } {
  return body.length === 0 ? { isBase64Encoded: false } : { body: body.toString('base64'), isBase64Encoded: true };
}

/**
 * docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html, and payload 2.0 of
 * docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
export const functionUrlEvent: ToEvent = ({ headers, method = '', url = '' }, body): LambdaHttpEvent => {
  const [rawPath = '', rawQueryString = ''] = url.split('?');
  const { cookie, ...others } = headers as Record<string, string>;
  return {
    version: '2.0',
    rawPath,
    rawQueryString,
    headers: others,
    ...(cookie !== undefined && { cookies: cookie.split('; ') }),
    requestContext: { domainName: 'id.lambda-url.us-east-1.on.aws', http: { method } },
    ...base64(body),
  };
};

/** docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html */
export const restApiEvent: ToEvent = ({ headersDistinct, method = '', url = '' }, body): LambdaRestEvent => {
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const multiValueHeaders = headersDistinct as Record<string, string[]>;
  const names = new Set(searchParams.keys());
  return {
    httpMethod: method,
    path: pathname,
    headers: Object.fromEntries(Object.entries(multiValueHeaders).map(([name, values]) => [name, values.at(-1)])),
    multiValueHeaders,
    multiValueQueryStringParameters:
      names.size === 0 ? null : Object.fromEntries([...names].map((name) => [name, searchParams.getAll(name)])),
    requestContext: { domainName: 'id.execute-api.us-east-1.amazonaws.com' },
    body: body.length === 0 ? null : body.toString(),
    isBase64Encoded: false,
  };
};

/** A gateway that makes an event of each request, and a response of what the function says. */
export interface Gateway {
  readonly url: URL;
  readonly events: readonly LambdaEvent[];
  /** What invocations failed with. */
  readonly failures: readonly unknown[];
}

type LambdaFunction = StreamHandler | ((event: LambdaEvent, context: LambdaContext) => Promise<LambdaResult>);

interface GatewayOptions {
  readonly toEvent: ToEvent;
  /**
   * The function of each invocation, counted from 0: whole or streaming, as the runtime marks it.
   */
  readonly functionOf: (invocation: number) => LambdaFunction | undefined;
  /** How long the function may run. */
  readonly timeoutMs?: number;
}

export async function startGateway({ toEvent, functionOf, timeoutMs = 30_000 }: GatewayOptions): Promise<Gateway> {
  const events: LambdaEvent[] = [];
  const failures: unknown[] = [];
  /** Clients that wait for what a function streams, by the path that it is sent to. */
  const waiting = new Map<string, ServerResponse>();

  const invoke = async (from: IncomingMessage, to: ServerResponse): Promise<void> => {
    const event = toEvent(from, Buffer.concat(await from.toArray()));
    const handler = functionOf(events.push(event) - 1);
    if (handler === undefined) throw new Error('There is no function');
    const endsAt = performance.now() + timeoutMs;
    const context = { getRemainingTimeInMillis: () => endsAt - performance.now() };
    if (!(STREAMS in handler)) {
      const whole = handler as (given: LambdaEvent, in_: LambdaContext) => Promise<LambdaResult>;
      const { statusCode, body, ...rest } = await whole(event, context);
      to.writeHead(statusCode, headersOf(rest)).end(body);
      return;
    }
    const path = `/${crypto.randomUUID()}`;
    waiting.set(path, to);
    const output = outputTo(new URL(path, service));
    await (handler as StreamHandler)(event, output, context);
    if (!output.writableFinished) throw new Error('Response stream is not finished');
  };

  const service = await listen((from, to) => {
    const client = waiting.get(from.url ?? '');
    passOn(from, client).then(
      () => to.end(),
      // The function broke its stream off.
      () => client?.destroy(),
    );
  });
  const url = await listen((from, to) => {
    invoke(from, to).catch((error: unknown) => {
      failures.push(error);
      if (to.headersSent) to.destroy();
      else to.writeHead(502).end();
    });
  });
  return { url: new URL('/mcp', url), events, failures };
}

/** Takes what is said of the response off the stream, and gives the client the rest as it comes. */
async function passOn(from: IncomingMessage, to: ServerResponse | undefined): Promise<void> {
  let text = Buffer.alloc(0);
  let begun = false;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    text = Buffer.concat([text, chunk]);
    const end = text.indexOf(Buffer.alloc(8));
    if (!begun && end >= 0) {
      const { statusCode, ...rest } = JSON.parse(text.subarray(0, end).toString()) as LambdaResult;
      to?.writeHead(statusCode, headersOf(rest)).flushHeaders();
      text = text.subarray(end + 8);
      begun = true;
    }
    if (!begun || text.length === 0) continue;
    to?.write(text);
    text = Buffer.alloc(0);
  }
  to?.end();
}

function headersOf({ headers, cookies, multiValueHeaders }: Partial<LambdaResult>): Record<string, string | string[]> {
  return { ...headers, ...multiValueHeaders, ...(cookies !== undefined && { 'set-cookie': cookies }) };
}

async function listen(listener: (request: IncomingMessage, response: ServerResponse) => void): Promise<URL> {
  const server = createServer(listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}
