import { endsListeners, listenersEnded, tokenLifetime, whenOver } from '@mcp-session/core/transport';
import type { AuthInfo, ServerEvent, ServerEventBus } from '@modelcontextprotocol/server';
import { StoreEventBus } from '../cluster/event-bus.ts';
import { isStoreFailure } from '../protocol/http-errors.ts';
import { type PrincipalOf, principalOf } from '../request/principal.ts';
import type { EndAllOptions } from '../session/end-all.ts';
import type { Bounds } from '../stream/bounds.ts';

/** Who listens. */
interface Listener {
  readonly request: Request;
  readonly authInfo: AuthInfo | undefined;
}

/**
 * The `subscriptions/listen` streams of revision 2026-07-28. The SDK serves them; this ends them
 * when their token expires, and when the access of their principal ends. Their clients listen again
 * with a new token.
 */
export class ListenStreams {
  readonly #bus: ServerEventBus;
  readonly #bounds: Bounds;
  readonly #tell: PrincipalOf<AuthInfo> | undefined;

  constructor(bus: ServerEventBus, bounds: Bounds, tell: PrincipalOf<AuthInfo> | undefined) {
    this.#bus = bus;
    this.#bounds = bounds;
    this.#tell = tell;
  }

  /**
   * Has the SDK answer a request that asks to listen, and ends the stream if it opens one. Until
   * the SDK has answered, the request takes the place of a stream: it makes a server, as a call
   * does, but calls must not keep clients from listening. The SDK counts the open streams itself.
   *
   * @throws HttpError 503 if the process has too many streams, 429 if the principal has.
   */
  async serve({ request, authInfo }: Listener, answer: () => Promise<Response>): Promise<Response> {
    // As for requests: a principal that is unknown does not matter unless somebody asks for it.
    const principal = principalOf(authInfo, request, this.#tell).catch(() => undefined);
    const access = new AbortController();
    // Its access may end while the principal is asked, or before the SDK opens the stream.
    const unsubscribe = this.#bus.subscribe((event) => {
      void principal.then((told) => {
        if (told !== undefined && endsListeners(event, told)) access.abort();
      });
    });
    let stream: EndableBody | undefined;
    try {
      const answered = this.#bounds.openStream((await principal) ?? null);
      const response = await answer().finally(answered);
      const { status, headers, body } = response;
      if (body === null || headers.get('content-type')?.startsWith('text/event-stream') !== true) return response;
      stream = new EndableBody(body);
      void stream.over.then(unsubscribe);
      endWith(stream, [access.signal, request.signal], authInfo);
      // To a client, the beginning of its stream promises every change from then on.
      if (this.#bus instanceof StoreEventBus) await this.#bus.ready();
      return new Response(stream.body, { status, headers });
    } finally {
      if (stream === undefined) unsubscribe();
    }
  }

  /**
   * Ends the streams of a principal after its sessions, on all nodes that share the bus. They end
   * even if the store fails, and not if the options are wrong.
   */
  async endAfter(whose: EndAllOptions, endSessions: () => Promise<number>): Promise<number> {
    const [ended] = await Promise.allSettled([endSessions()]);
    if (ended.status === 'fulfilled' || isStoreFailure(ended.reason)) await this.#endAll(whose.principal);
    if (ended.status === 'rejected') throw ended.reason;
    return ended.value;
  }

  async #endAll(principal: string | null): Promise<void> {
    this.#bus.publish(listenersEnded(principal) as unknown as ServerEvent);
    if (this.#bus instanceof StoreEventBus) await this.#bus.settled();
  }
}

/** Whether a request asks to listen. The SDK compares the header of a request with its body. */
export function isListen({ headers }: Request): boolean {
  return headers.get('mcp-method') === 'subscriptions/listen';
}

/** Ends a stream when its token expires, or once one of the signals is aborted. */
function endWith(stream: EndableBody, signals: readonly AbortSignal[], authInfo: AuthInfo | undefined): void {
  const end = (): void => stream.end();
  const stop = whenOver(tokenLifetime(authInfo?.expiresAt), end);
  for (const signal of signals) signal.addEventListener('abort', end, { once: true });
  void stream.over.then(() => {
    stop();
    for (const signal of signals) signal.removeEventListener('abort', end);
  });
  if (signals.some(({ aborted }) => aborted)) end();
}

/** The body of a response, which can be ended as a lost connection ends it. */
class EndableBody {
  readonly body: ReadableStream<Uint8Array>;
  /** Resolves when the body has ended or its client has left. */
  readonly over: Promise<void>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(source: ReadableStream<Uint8Array>) {
    const reader = (this.#reader = source.getReader());
    this.over = reader.closed.catch(() => undefined);
    this.body = new ReadableStream({
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async (reason) => reader.cancel(reason),
    });
  }

  end(): void {
    this.#reader.cancel().catch(() => undefined);
  }
}
