import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Connection } from '../connection.ts';
import type { Seal } from './seal.ts';

/** How long a notification to ourselves may take, from when the server has it, before we take it that none comes through, in milliseconds. */
const PROOF_TIMEOUT_MS = 5_000;
/** How long until what could not be tried is tried again, in milliseconds. */
const RETRY_MS = 1_000;
/** How long until it is looked again whether notifications come through by now, in milliseconds. */
const LOOK_AGAIN_MS = 300_000;

/** What a listener is given. */
export interface Listening {
  /** Whether it makes sure that notifications come through. */
  readonly proves: boolean;
  seal(): Promise<Seal>;
  /** Notifies by the pool. Resolves when the server has it. */
  notify(channel: string, payload: string): Promise<void>;
  /** Is given what another node has said. */
  hear(text: string): void;
}

/**
 * Listens until it is stopped. postgres.js listens on a connection of its own, and again when that is lost, also where the first attempt failed.
 *
 * Behind a pooler in transaction mode, LISTEN is accepted and nothing ever comes: it belongs to a connection of the server's that others use now. The proof is a
 * notification of our own. Only one that the server has taken and that does not come back proves anything: a pool that is busy, or a server that is away, does not.
 */
export class Listener {
  readonly #connection: Connection;
  readonly #given: Listening;
  readonly #stop = new AbortController();
  #proof: { readonly payload: string; readonly arrived: () => void } | undefined;
  #running: Promise<void> | undefined;

  constructor(connection: Connection, given: Listening) {
    this.#connection = connection;
    this.#given = given;
  }

  /** @returns Resolves when it listens, or has tried to. */
  start(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running = this.#run(resolve);
    return promise;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(begun: () => void): Promise<void> {
    const { signal } = this.#stop;
    let warned = false;
    while (!signal.aborted) {
      const pauseMs = await this.#listen(begun);
      begun();
      if (pauseMs === LOOK_AGAIN_MS && !warned) {
        warned = true;
        process.emitWarning(
          `Notifications of ${this.#connection.label} do not come through, as behind a pooler in transaction mode: tails poll each second`,
          'SessionStoreWarning',
        );
      }
      await this.#wait(pauseMs);
    }
  }

  /** Listens until it is stopped or nothing comes through. @returns How long to wait before the next attempt, in milliseconds. */
  async #listen(begun: () => void): Promise<number> {
    const { signal } = this.#stop;
    const { promise: over, resolve: end } = Promise.withResolvers<number>();
    const stop = (): void => end(0);
    signal.addEventListener('abort', stop, { once: true });
    try {
      const seal = await this.#given.seal();
      if (signal.aborted) return 0;
      const hear = (payload: string): void => {
        if (payload === this.#proof?.payload) this.#proof.arrived();
        const text = seal.open(payload);
        if (text !== undefined) this.#given.hear(text);
      };
      const prove = async (): Promise<void> => {
        if (this.#given.proves && !(await this.#prove(seal.channel))) end(LOOK_AGAIN_MS);
      };
      // Each time that it listens, since another server or pooler may have taken the place of the one before.
      const listening = this.#connection.client.listen(seal.channel, hear, () => void prove());
      const channel = await this.#connection.bounded(listening).catch(() => undefined);
      begun();
      const pauseMs = await over;
      // The connection may be lost at this very moment, and then it does not listen either.
      if (channel !== undefined) await this.#connection.bounded(channel.unlisten()).catch(() => undefined);
      return pauseMs;
    } catch {
      return RETRY_MS;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** @returns Whether notifications come through, as far as is known. */
  async #prove(channel: string): Promise<boolean> {
    if (this.#proof !== undefined) return true;
    const { signal } = this.#stop;
    // Of no node: others do not hear it.
    const payload = ` ${randomUUID()}`;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#proof = { payload, arrived: resolve };
    try {
      while (!signal.aborted) {
        const sent = await this.#given.notify(channel, payload).then(
          () => true,
          () => false,
        );
        const arrived = await Promise.race([promise.then(() => true), this.#wait(sent ? PROOF_TIMEOUT_MS : RETRY_MS)]);
        if (arrived === true) return true;
        if (sent) return signal.aborted;
      }
      return true;
    } finally {
      this.#proof = undefined;
    }
  }

  /** Ends early, and without an error, when the listener is stopped. Keeps no process alive. */
  async #wait(ms: number): Promise<void> {
    await wait(ms, undefined, { ref: false, signal: this.#stop.signal }).catch(() => undefined);
  }
}
