import { SessionError } from '@mcp-session/core';
import { callable, checkOptions, text, type OptionNames } from '@mcp-session/core/backend';
import type { AnySession, AnyStore } from '../store/session-handle.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { errorListener } from '../runtime/safe-callback.ts';
import { checkStore } from '../store/check-store.ts';

/** Kind of the record whose log is the bus. */
const KIND = 'bus';
const STREAM = 'events';
/** The record is never to expire: an id that has expired cannot be had again at once. */
const LIFE = { ttlMs: 3_153_600_000_000, maxLifetimeMs: Number.MAX_SAFE_INTEGER };

/** After how long a bus that could not hear the others tries again. */
const RETRY_MS = 500;

/** Options of `createStoreEventBus`. */
export interface StoreEventBusOptions {
  /** Which bus of the store: nodes with the same name hear each other. Visible ASCII. Default: `default`. */
  readonly name?: string;
  /** Is told of events that could not be published or heard. Default: `console.error`. */
  readonly onError?: (error: unknown) => void;
}

const NAMES: OptionNames<StoreEventBusOptions> = { name: ['channel', 'topic', 'id'], onError: ['onerror', 'logger'] };

/** What a listener of any node publishes, and who did. */
interface Published<Event> {
  readonly event: Event;
  readonly from: string;
}

/** Change events over the log of one record of a store: what one node publishes the others hear within its tail time. Nothing is replayed. */
export class StoreEventBus<Event extends object> {
  readonly #store: AnyStore;
  readonly #id: string;
  readonly #onError: (error: unknown) => void;
  readonly #self: string = crypto.randomUUID();
  readonly #listeners = new Set<(event: Event) => void>();
  #record: Promise<AnySession> | undefined;
  #hearing: AbortController | undefined;
  /** Resolves when what others publish from now on is heard. */
  #ready: Promise<void> = Promise.resolve();
  #publishing: Promise<void> = Promise.resolve();

  constructor(store: AnyStore, options: StoreEventBusOptions) {
    checkStore(store);
    checkOptions(options, NAMES, 'createStoreEventBus');
    const { onError } = options;
    const name = text('name', options.name, 'default');
    callable('onError', onError);
    this.#store = store;
    this.#id = `bus-${name}`;
    this.#onError = errorListener(onError);
  }

  /** Tells the listeners of this node at once, and those of others through the store. */
  publish(event: Event): void {
    this.#tell(event);
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

  /** @returns A function that ends it; safe to call again. */
  subscribe(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener);
    if (this.#hearing === undefined) this.#hear();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#hearing?.abort();
      this.#hearing = undefined;
    };
  }

  /** Resolves when all that was published is stored, and what others publish from now on is heard. */
  async settled(): Promise<void> {
    await Promise.all([this.#publishing, this.#ready]);
  }

  /** Resolves when what others publish from now on is heard; as well when that fails, of which `onError` is told. */
  hearing(): Promise<void> {
    return this.#ready;
  }

  #hear(): void {
    const abort = (this.#hearing = new AbortController());
    const ready = Promise.withResolvers<void>();
    this.#ready = ready.promise;
    void this.#follow(abort.signal, ready.resolve);
  }

  /** Hears the others until it is told to stop. What is published while the store fails is heard when it works again. */
  async #follow(signal: AbortSignal, onReady: () => void): Promise<void> {
    let after: string | undefined;
    let begun = false;
    while (!signal.aborted) {
      try {
        const { events } = await this.#open();
        if (!begun) after = (await events.recent(1, STREAM))[0]?.id;
        begun = true;
        onReady();
        for await (const { id, message } of events.tail({ streamId: STREAM, after, signal })) {
          after = id;
          const { event, from } = message as Published<Event>;
          if (from !== this.#self) this.#tell(event);
        }
      } catch (error) {
        if (signal.aborted) return;
        const code = error instanceof SessionError ? error.code : undefined;
        if (code === 'STORE_CLOSED') return;
        this.#onError(error);
        // What it had heard last is not kept any more, or the record is a new one: either way what there is is new.
        if (code === 'EVENTS_TRIMMED' || code === 'INVALID_CURSOR') after = undefined;
      } finally {
        onReady();
      }
      // A tail ends without an error when its record is gone.
      this.#record = undefined;
      await pause(RETRY_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  #tell(event: Event): void {
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
