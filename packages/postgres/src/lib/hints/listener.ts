import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Connection } from '../connection.ts';
import type { Seal } from './seal.ts';

/** Time limit for our own notification, from when the server has it, in milliseconds. */
const PROBE_TIMEOUT_MS = 5_000;
/** Pause after a failed attempt to listen or to notify, in milliseconds. */
const RETRY_MS = 1_000;
/** Pause before the next attempt if notifications do not arrive, in milliseconds. */
const LOOK_AGAIN_MS = 300_000;

/** What a listener needs from its owner. */
export interface ListenerOptions {
  /** Whether to verify that notifications arrive. */
  readonly verifies: boolean;
  seal(): Promise<Seal>;
  /** Sends a notification through the pool. Resolves when the server has it. */
  notify(channel: string, payload: string): Promise<void>;
  /** Called with the text of another node's notification. */
  receive(text: string): void;
}

/**
 * Listens until it is stopped. postgres.js listens on a connection of its own, and listens again
 * after that is lost, also if the first attempt failed.
 *
 * Behind a pooler in transaction mode, LISTEN succeeds but nothing ever arrives, because the
 * server's connection that listens is given to others. A notification to ourselves probes for that.
 * The probe fails only if the server has accepted the notification and it does not arrive on the
 * connection that listened then: a busy pool, an unreachable server or a connection that was lost
 * meanwhile says nothing about the pooler.
 */
export class Listener {
  readonly #connection: Connection;
  readonly #options: ListenerOptions;
  readonly #stop = new AbortController();
  #probe: { readonly payload: string; readonly arrived: () => void } | undefined;
  #running: Promise<void> | undefined;
  /** How many connections have listened. */
  #connections = 0;
  #hasArrived = false;

  constructor(connection: Connection, options: ListenerOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Whether the last probe has arrived: this process has a connection of its own. */
  get hasArrived(): boolean {
    return this.#hasArrived;
  }

  /** Resolves after the first attempt to listen. */
  start(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running = this.#run(resolve);
    return promise;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(started: () => void): Promise<void> {
    const { signal } = this.#stop;
    let warned = false;
    while (!signal.aborted) {
      const pauseMs = await this.#listen(started);
      started();
      if (pauseMs === LOOK_AGAIN_MS && !warned) {
        warned = true;
        process.emitWarning(
          `Notifications of ${this.#connection.label} do not arrive, as behind a pooler in transaction mode: tails poll each second`,
          'SessionStoreWarning',
        );
      }
      await this.#wait(pauseMs);
    }
  }

  /**
   * Listens until it is stopped or the probe fails.
   *
   * @returns The pause before the next attempt, in milliseconds.
   */
  async #listen(started: () => void): Promise<number> {
    const { signal } = this.#stop;
    const { promise: over, resolve: end } = Promise.withResolvers<number>();
    const stop = (): void => end(0);
    signal.addEventListener('abort', stop, { once: true });
    try {
      const seal = await this.#options.seal();
      if (signal.aborted) return 0;
      const receive = (payload: string): void => {
        if (payload === this.#probe?.payload) this.#probe.arrived();
        const text = seal.open(payload);
        if (text !== undefined) this.#options.receive(text);
      };
      const verify = async (): Promise<void> => {
        this.#connections++;
        if (this.#options.verifies && !(await this.#notificationsArrive(seal.channel))) end(LOOK_AGAIN_MS);
      };
      // Verifies after each reconnection, because it may have reached another server or pooler.
      const listening = this.#connection.client.listen(seal.channel, receive, () => void verify());
      const channel = await this.#connection.bounded(listening).catch(() => undefined);
      started();
      const pauseMs = await over;
      // If this fails, the connection is lost and does not listen either.
      if (channel !== undefined) await this.#connection.bounded(channel.unlisten()).catch(() => undefined);
      return pauseMs;
    } catch {
      return RETRY_MS;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** @returns `false` if the probe has failed; `true` if it has arrived or could not be made. */
  async #notificationsArrive(channel: string): Promise<boolean> {
    if (this.#probe !== undefined) return true;
    const { signal } = this.#stop;
    // It names no node, so other nodes ignore it.
    const payload = ` ${randomUUID()}`;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#probe = { payload, arrived: resolve };
    try {
      while (!signal.aborted) {
        this.#hasArrived = false;
        const connections = this.#connections;
        const sent = await this.#options.notify(channel, payload).then(
          () => true,
          () => false,
        );
        const arrived = await Promise.race([promise.then(() => true), this.#wait(sent ? PROBE_TIMEOUT_MS : RETRY_MS)]);
        if (arrived === true) {
          this.#hasArrived = true;
          return true;
        }
        if (sent && connections === this.#connections) return signal.aborted;
      }
      return true;
    } finally {
      this.#probe = undefined;
    }
  }

  /**
   * Ends early, without an error, when the listener is stopped. Does not keep the process alive.
   */
  async #wait(ms: number): Promise<void> {
    await wait(ms, undefined, { ref: false, signal: this.#stop.signal }).catch(() => undefined);
  }
}
