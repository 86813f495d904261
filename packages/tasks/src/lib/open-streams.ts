import { tokenLifetime, whenOver } from '@mcp-session/core/transport';
import { ProtocolErrorCode } from '@modelcontextprotocol/server';
import { ListenRefusal } from './listen-refusal.ts';

/** How many streams may be open, see the options of the same names. */
export interface StreamBounds {
  readonly maxSubscriptions: number;
  readonly maxSubscriptionsPerPrincipal: number;
}

/** Who opens a stream. */
export interface Listener {
  readonly principal: string | null;
  /** When the token expires, in Unix seconds; `undefined`: never. */
  readonly expiresAt: number | undefined;
}

/** A stream with tasks, from its request to its end. */
export interface OpenStream {
  /** Aborted when the stream has to end, and when it has ended. */
  readonly signal: AbortSignal;
  /** Call it when the stream has ended. */
  leave(): void;
}

interface Entry {
  readonly principal: string | null;
  readonly over: AbortController;
}

/** The streams of a handler, and their bounds. */
export class OpenStreams {
  readonly #bounds: StreamBounds;
  readonly #entries = new Set<Entry>();

  constructor(bounds: StreamBounds) {
    this.#bounds = bounds;
  }

  /**
   * Counts a stream from its request on, so that requests at the same time have no more room.
   *
   * @throws ListenRefusal -32603 if the handler has too many, 429 if the principal has.
   */
  enter({ principal, expiresAt }: Listener): OpenStream {
    const { maxSubscriptions, maxSubscriptionsPerPrincipal } = this.#bounds;
    // Anonymous clients are not one user.
    if (principal !== null && this.#of(principal).length >= maxSubscriptionsPerPrincipal) {
      const text = `Too Many Requests: user listens to tasks on ${maxSubscriptionsPerPrincipal} streams`;
      throw new ListenRefusal(429, -32_000, text, { headers: { 'retry-after': '5' } });
    }
    if (this.#entries.size >= maxSubscriptions) {
      // As the SDK refuses.
      throw new ListenRefusal(200, ProtocolErrorCode.InternalError, 'Subscription limit reached');
    }
    const entry: Entry = { principal, over: new AbortController() };
    this.#entries.add(entry);
    const cancelExpiry = whenOver(tokenLifetime(expiresAt), () => entry.over.abort());
    return {
      signal: entry.over.signal,
      leave: () => {
        cancelExpiry();
        this.#entries.delete(entry);
        entry.over.abort();
      },
    };
  }

  /** Ends all streams of a principal. */
  endAll(principal: string | null): void {
    for (const { over } of this.#of(principal)) over.abort();
  }

  #of(principal: string | null): readonly Entry[] {
    return [...this.#entries].filter((entry) => entry.principal === principal);
  }
}
