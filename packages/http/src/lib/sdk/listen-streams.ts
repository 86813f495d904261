import { endsListeners, listenersEnded } from '@mcp-session/core/transport';
import type { AuthInfo, ServerEvent, ServerEventBus } from '@modelcontextprotocol/server';
import { StoreEventBus } from '../cluster/event-bus.ts';
import { type PrincipalOf, principalOf } from '../request/principal.ts';
import { whenOver } from '../stream/lifetime.ts';
import { tokenLifetime } from '../stream/token-expiry.ts';

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
  readonly #tell: PrincipalOf<AuthInfo> | undefined;

  constructor(bus: ServerEventBus, tell: PrincipalOf<AuthInfo> | undefined) {
    this.#bus = bus;
    this.#tell = tell;
  }

  /** Bounds the stream with which the SDK has answered. Any other response stays as it is. */
  async bound(response: Response, { request, authInfo }: Listener): Promise<Response> {
    const { status, headers, body } = response;
    // Revision 2026-07-28 requires the header, and the SDK compares it with the body.
    const listens = request.headers.get('mcp-method') === 'subscriptions/listen';
    if (!listens || body === null || headers.get('content-type')?.startsWith('text/event-stream') !== true) {
      return response;
    }
    // As for requests: a principal that is unknown does not matter unless somebody asks for it.
    const [told] = await Promise.allSettled([principalOf(authInfo, request, this.#tell)]);
    const stream = new EndableBody(body);
    const end = (): void => stream.end();
    const stops = [
      whenOver(tokenLifetime(authInfo?.expiresAt), end),
      this.#bus.subscribe((event) => {
        if (told.status === 'fulfilled' && endsListeners(event, told.value)) end();
      }),
      () => request.signal.removeEventListener('abort', end),
    ];
    request.signal.addEventListener('abort', end, { once: true });
    void stream.over.then(() => {
      for (const stop of stops) stop();
    });
    if (request.signal.aborted) end();
    // To a client, the beginning of its stream promises every change from then on.
    if (this.#bus instanceof StoreEventBus) await this.#bus.ready();
    return new Response(stream.body, { status, headers });
  }

  /** Ends the streams of a principal, on all nodes that share the bus. */
  async endAll(principal: string | null): Promise<void> {
    this.#bus.publish(listenersEnded(principal) as unknown as ServerEvent);
    if (this.#bus instanceof StoreEventBus) await this.#bus.settled();
  }
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
