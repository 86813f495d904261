import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** One request as it passed. */
export interface Passed {
  /** Name of the operation, such as `Query`. */
  readonly operation: string;
  readonly body: Record<string, unknown>;
  /** Units of capacity that the answer says were consumed; where the test asked for them. */
  readonly answer: unknown;
}

/** What the proxy does with a request instead of passing it on. */
export type Fault =
  /** Answers with this error of DynamoDB, and passes nothing on. */
  | { readonly kind: 'error'; readonly status: number; readonly name: string; readonly reasons?: readonly string[] }
  /** Passes it on, and then answers with an error all the same. */
  | { readonly kind: 'error-after'; readonly status: number; readonly name: string }
  /** Cuts the connection before anything is passed on. */
  | { readonly kind: 'cut' }
  /** Passes the request on, and cuts the connection instead of answering. */
  | { readonly kind: 'cut-after' }
  /** Of a batch, passes on the first item only, and says that the others were not processed. */
  | { readonly kind: 'unprocessed' }
  /** Passes it on, and answers so much later. */
  | { readonly kind: 'slow'; readonly delayMs: number };

/** An answer of DynamoDB, as it goes over the wire. */
export interface Answer {
  readonly status: number;
  readonly answer: string;
}

/**
 * Stands in for DynamoDB: answers a request with what it makes of any number of requests that it
 * passes on.
 */
export type Intercept = (
  operation: string,
  body: Record<string, unknown>,
  pass: (operation: string, body: Record<string, unknown>) => Promise<Answer>,
) => Promise<Answer>;

/**
 * A proxy of HTTP between a client and DynamoDB Local. It really stands in between: what it passes
 * on, the server does.
 */
export class Proxy {
  readonly passed: Passed[] = [];
  /** Whether {@link passed} is kept. */
  recording = true;
  /** Whether the server is asked what each request consumes. */
  counting = false;
  /** Asked for each request. `undefined`: it passes. */
  fault: (operation: string, body: Record<string, unknown>) => Fault | undefined = () => undefined;
  /** What becomes of a request that passes. Default: it is passed on as it is. */
  intercept: Intercept = (operation, body, pass) => pass(operation, body);
  readonly #target: URL;
  readonly #server = createServer((incoming, outgoing) => {
    this.#serve(incoming, outgoing).catch(() => outgoing.destroy());
  });
  readonly #agent = new Agent({ keepAlive: true });
  readonly #underWay = new Map<string, number>();
  readonly #most = new Map<string, number>();

  constructor(target: string) {
    this.#target = new URL(target);
  }

  static async start(target: string): Promise<Proxy> {
    const proxy = new Proxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The most requests of an operation that ran at the same time. */
  mostAtOnce(operation: string): number {
    return this.#most.get(operation) ?? 0;
  }

  /** What passes while the work is done. */
  async during(work: () => Promise<unknown>): Promise<readonly Passed[]> {
    const before = this.passed.length;
    await work();
    return this.passed.slice(before);
  }

  /** Safe to repeat. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
    await once(this.#server, 'close');
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const operation = String(incoming.headers['x-amz-target']).split('.')[1] ?? '';
    const atOnce = (this.#underWay.get(operation) ?? 0) + 1;
    this.#underWay.set(operation, atOnce);
    this.#most.set(operation, Math.max(atOnce, this.mostAtOnce(operation)));
    outgoing.once('close', () => this.#underWay.set(operation, (this.#underWay.get(operation) ?? 1) - 1));
    const body = JSON.parse(await text(incoming)) as Record<string, unknown>;
    const fault = this.fault(operation, body);
    if (fault?.kind === 'cut') {
      incoming.socket.destroy();
      return;
    }
    if (fault?.kind === 'error') {
      answerError(outgoing, fault);
      return;
    }
    const { sent, left } = fault?.kind === 'unprocessed' ? firstOf(body) : { sent: body, left: undefined };
    const { status, answer } = await this.intercept(operation, sent, (name, other) =>
      this.#pass(incoming, name, other),
    );
    if (fault?.kind === 'cut-after') incoming.socket.destroy();
    else if (fault?.kind === 'error-after') answerError(outgoing, fault);
    else if (left !== undefined) outgoing.writeHead(status, HEADERS).end(withLeft(operation, answer, left));
    else setTimeout(() => outgoing.writeHead(status, HEADERS).end(answer), fault?.kind === 'slow' ? fault.delayMs : 0);
  }

  async #pass(incoming: IncomingMessage, operation: string, body: Record<string, unknown>): Promise<Answer> {
    const counted = /Table|TimeToLive|Backups/.test(operation) ? body : { ...body, ReturnConsumedCapacity: 'TOTAL' };
    const { host: _host, 'content-length': _length, ...others } = incoming.headers;
    const headers = { ...others, 'x-amz-target': `DynamoDB_20120810.${operation}` };
    const { hostname, port } = this.#target;
    const outgoing = request({ hostname, port, method: 'POST', agent: this.#agent, headers });
    outgoing.end(JSON.stringify(this.counting ? counted : body));
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const answer = await text(response);
    if (this.recording) this.passed.push({ operation, body, answer: JSON.parse(answer) });
    return { status: response.statusCode ?? 500, answer };
  }
}

const HEADERS = { 'content-type': 'application/x-amz-json-1.0' };
let lastRequest = 0;

// As the service words it:
// docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
function answerError(outgoing: ServerResponse, fault: Fault & { readonly kind: 'error' | 'error-after' }): void {
  const reasons = 'reasons' in fault ? fault.reasons : undefined;
  const body = {
    __type: `com.amazonaws.dynamodb.v20120810#${fault.name}`,
    message: `${fault.name} of the test`,
    ...(reasons !== undefined && {
      Message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${reasons.join(', ')}]`,
      CancellationReasons: reasons.map((Code) => ({ Code })),
    }),
  };
  outgoing
    .writeHead(fault.status, { ...HEADERS, 'x-amzn-requestid': `request-${++lastRequest}` })
    .end(JSON.stringify(body));
}

/** A batch of each table's first item, and a batch of the rest. */
function firstOf(body: Record<string, unknown>) {
  const sent: Record<string, unknown> = {};
  const left: Record<string, unknown> = {};
  for (const [table, all] of Object.entries(body['RequestItems'] as Record<string, unknown>)) {
    const list = Array.isArray(all) ? all : (all as { readonly Keys: unknown[] }).Keys;
    const like = (some: unknown[]) => (Array.isArray(all) ? some : { ...(all as object), Keys: some });
    sent[table] = like(list.slice(0, 1));
    if (list.length > 1) left[table] = like(list.slice(1));
  }
  return { sent: { ...body, RequestItems: sent }, left };
}

function withLeft(operation: string, answer: string, left: unknown): string {
  const name = operation === 'BatchGetItem' ? 'UnprocessedKeys' : 'UnprocessedItems';
  return JSON.stringify({ ...(JSON.parse(answer) as object), [name]: left });
}
