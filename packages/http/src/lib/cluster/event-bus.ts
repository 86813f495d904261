import { type Logger, SessionError } from '@mcp-session/core';
import { checkOptions, text, type OptionNames } from '@mcp-session/core/backend';
import type { AnySession, AnyStore } from '../store/session-handle.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { errorListener } from '../runtime/safe-callback.ts';
import { checkStore } from '../store/check-store.ts';

/** With `bus-` in front, it is the id of a session. */
const NAME = /^[\x21-\x7e]{1,251}$/;
/** The kind of the record whose log is the bus. */
const KIND = 'bus';
const STREAM = 'events';
/** The record never expires: the id of an expired record stays taken for a while. */
const LIFE = { ttlMs: 3_153_600_000_000, maxLifetimeMs: Number.MAX_SAFE_INTEGER };

/** The delay before a bus that failed to follow the log tries again, in milliseconds. */
const RETRY_MS = 500;

/** Options of `createStoreEventBus`. */
export interface StoreEventBusOptions {
  /**
   * The name of the bus in its store: nodes with the same name share it. 1 to 251 visible ASCII
   * characters. Default: `default`.
   */
  readonly name?: string;
  /**
   * Is called with the error when events could not be published or received. Default: the errors go
   * to `logger`, each cause once a minute.
   */
  readonly onError?: (error: unknown) => void;
  /** Gets the errors without `onError`, see the option of a handler. Default: the console. */
  readonly logger?: Logger;
}

const NAMES: OptionNames<StoreEventBusOptions> = {
  name: ['channel', 'topic', 'id'],
  onError: ['onerror'],
  logger: ['log'],
};

/** A published event, with the node that published it. */
interface Published<Event> {
  readonly event: Event;
  readonly from: string;
}

/**
 * Change events through the log of one record: what one node publishes reaches the others as soon
 * as their tails wake. Nothing is replayed.
 */
export class StoreEventBus<Event extends object> {
  readonly #store: AnyStore;
  readonly #id: string;
  readonly #onError: (error: unknown) => void;
  readonly #self: string = crypto.randomUUID();
  readonly #listeners = new Set<(event: Event) => void>();
  #record: Promise<AnySession> | undefined;
  #following: AbortController | undefined;
  /** Resolves when events that others publish from now on are received. */
  #ready: Promise<void> = Promise.resolve();
  #publishing: Promise<void> = Promise.resolve();

  constructor(store: AnyStore, options: StoreEventBusOptions) {
    checkStore(store);
    checkOptions(options, NAMES, 'createStoreEventBus');
    const name = text('name', options.name, 'default');
    if (!NAME.test(name)) throw new RangeError('Option name is not 1 to 251 visible ASCII characters');
    this.#store = store;
    this.#id = `bus-${name}`;
    this.#onError = errorListener(options);
  }

  /** Calls the listeners of this node at once, and those of other nodes through the store. */
  publish(event: Event): void {
    this.#emit(event);
    const published: Published<Event> = { event, from: this.#self };
    this.#publishing = this.#publishing.then(async () => {
      try {
        await (await this.#open()).events.append(STREAM, published);
      } catch (error) {
        this.#record = undefined;
        this.#onError(error);
      }
    });
  }

  /** @returns A function that unsubscribes; safe to call again. */
  subscribe(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener);
    if (this.#following === undefined) this.#start();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#following?.abort();
      this.#following = undefined;
    };
  }

  /**
   * Resolves when everything published is stored, and events that others publish from now on are
   * received.
   */
  async settled(): Promise<void> {
    await Promise.all([this.#publishing, this.#ready]);
  }

  /**
   * Resolves when events that others publish from now on are received, or when that failed, which
   * `onError` gets.
   */
  ready(): Promise<void> {
    return this.#ready;
  }

  #start(): void {
    const abort = (this.#following = new AbortController());
    const ready = Promise.withResolvers<void>();
    this.#ready = ready.promise;
    void this.#follow(abort.signal, ready.resolve);
  }

  /**
   * Follows the log until it is aborted. Events that are published while the store fails are
   * received afterwards.
   */
  async #follow(signal: AbortSignal, onReady: () => void): Promise<void> {
    let after: string | undefined;
    let isStarted = false;
    while (!signal.aborted) {
      try {
        const { events } = await this.#open();
        if (!isStarted) after = (await events.recent(1, STREAM))[0]?.id;
        isStarted = true;
        onReady();
        for await (const { id, message } of events.tail({ streamId: STREAM, after, signal })) {
          after = id;
          const { event, from } = message as Published<Event>;
          if (from !== this.#self) this.#emit(event);
        }
      } catch (error) {
        if (signal.aborted) return;
        const code = error instanceof SessionError ? error.code : undefined;
        if (code === 'STORE_CLOSED') return;
        this.#onError(error);
        // The last event that was received is trimmed, or the record was created anew: everything
        // in the log is new.
        if (code === 'EVENTS_TRIMMED' || code === 'INVALID_CURSOR') after = undefined;
      } finally {
        onReady();
      }
      // A tail ends without an error when its record has ended.
      this.#record = undefined;
      await pause(RETRY_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  #emit(event: Event): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  async #open(): Promise<AnySession> {
    this.#record ??= this.#findOrCreate();
    try {
      return await this.#record;
    } catch (error) {
      this.#record = undefined;
      throw error;
    }
  }

  async #findOrCreate(): Promise<AnySession> {
    const found = await this.#store.get(this.#id, { kind: KIND });
    if (found !== undefined) return found;
    try {
      return await this.#store.create({ ...LIFE, id: this.#id, kind: KIND });
    } catch (error) {
      const others = error instanceof SessionError && error.code === 'SESSION_EXISTS';
      const made = others ? await this.#store.get(this.#id, { kind: KIND }) : undefined;
      if (made === undefined) throw error;
      return made;
    }
  }
}
