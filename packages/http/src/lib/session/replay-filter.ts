import { AsyncLocalStorage } from 'node:async_hooks';
import { isCancellation, isRequest, type JsonRpcNotification, type JsonRpcRequest } from '../protocol/json-rpc.ts';

/** Requests that a server may repeat while it is restored: they read and change nothing. */
const REPEATABLE: ReadonlySet<string> = new Set(['roots/list', 'ping']);

/**
 * How long after a replay its consequences may not send requests to the client, in milliseconds.
 * The first ones were sent before the restore. A timer that runs forever must be able to send
 * eventually.
 */
const SUPPRESS_REQUESTS_MS = 60_000;

interface Replay {
  /** When the replay ended, by the filter's clock; `undefined`: it still runs. */
  endedAt: number | undefined;
}

/**
 * Suppresses what a server sends because settings were replayed to it: an earlier server has sent
 * it already (docs/decisions/032-what-a-restored-server-says.md).
 *
 * Suppresses only messages caused by the replay itself; concurrent requests can still send.
 */
export class ReplayFilter {
  readonly #replay = new AsyncLocalStorage<Replay>();
  readonly #now: () => number;

  /** @param now A clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Runs a replay. What it causes is suppressed, also after it ended. */
  async during(replay: () => Promise<void>): Promise<void> {
    const running: Replay = { endedAt: undefined };
    try {
      await this.#replay.run(running, replay);
    } finally {
      running.endedAt = this.#now();
    }
  }

  /**
   * Whether not to send a message that belongs to no request of the client. Cancellations pass: the
   * request that they cancel was sent.
   */
  suppresses(message: JsonRpcRequest | JsonRpcNotification): boolean {
    const replay = this.#replay.getStore();
    if (replay === undefined || isCancellation(message)) return false;
    const { endedAt } = replay;
    if (!isRequest(message)) return endedAt === undefined;
    const elapsedMs = endedAt === undefined ? 0 : this.#now() - endedAt;
    return !REPEATABLE.has(message.method) && elapsedMs < SUPPRESS_REQUESTS_MS;
  }
}
