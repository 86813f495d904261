import { AsyncLocalStorage } from 'node:async_hooks';
import { isCancellation, isRequest, type JsonRpcNotification, type JsonRpcRequest } from '../protocol/json-rpc.ts';

/** Requests that a server may send again while it is restored: they ask for facts and do nothing. */
const REPEATABLE: ReadonlySet<string> = new Set(['roots/list', 'ping']);

/**
 * How long what was set going while a server was restored asks its client nothing, in milliseconds. What it does first, it has asked before. What it does for ever, such
 * as a timer, must be heard in the end.
 */
const ASKS_NOTHING_MS = 60_000;

/** A server is told again what its client has said before. */
interface Retelling {
  /** When it was over, by `now`; `undefined`: it is not. */
  overAt: number | undefined;
}

/**
 * Keeps back what a server says because it was told again what its client has said: it was said before, by the server that was told first
 * (docs/decisions/032-what-a-restored-server-says.md). Told apart by what led to a message, so that others may speak meanwhile.
 */
export class Quiet {
  readonly #retelling = new AsyncLocalStorage<Retelling>();
  readonly #now: () => number;

  /** @param now A clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Tells a server again what its client has said. */
  async during(tell: () => Promise<void>): Promise<void> {
    const retelling: Retelling = { overAt: undefined };
    try {
      await this.#retelling.run(retelling, tell);
    } finally {
      retelling.overAt = this.#now();
    }
  }

  /** Whether a message that belongs to no request of the client's is not to be sent. A cancellation always is: what it cancels was sent. */
  keepsBack(message: JsonRpcRequest | JsonRpcNotification): boolean {
    const retelling = this.#retelling.getStore();
    if (retelling === undefined || isCancellation(message)) return false;
    const { overAt } = retelling;
    if (!isRequest(message)) return overAt === undefined;
    return !REPEATABLE.has(message.method) && this.#now() - (overAt ?? Number.POSITIVE_INFINITY) < ASKS_NOTHING_MS;
  }
}
