import { SessionError, type Session, type SessionStore, type StateSchemas } from '@mcp-session/core';

/** Kind of the record whose log is the bus. */
const KIND = 'bus';
const STREAM = 'events';
/** The record is never to expire: an id that has expired cannot be had again at once. */
const LIFE = { ttlMs: 3_153_600_000_000, maxLifetimeMs: Number.MAX_SAFE_INTEGER };

/** Options of `createStoreEventBus`. */
export interface StoreEventBusOptions {
  /** Which bus of the store: nodes with the same name hear each other. Visible ASCII. Default: `default`. */
  readonly name?: string;
  /** Is told of events that could not be published or heard. Default: nobody is. */
  readonly onError?: (error: unknown) => void;
}

/** What a listener of any node publishes, and who did. */
interface Published<Event> {
  readonly event: Event;
  readonly from: string;
}

/** Change events over the log of one record of a store: what one node publishes the others hear within its tail time. Nothing is replayed. */
export class StoreEventBus<Event extends object, S extends StateSchemas> {
  readonly #store: SessionStore<S>;
  readonly #id: string;
  readonly #onError: (error: unknown) => void;
  readonly #self: string = crypto.randomUUID();
  readonly #listeners = new Set<(event: Event) => void>();
  #record: Promise<Session<S>> | undefined;
  #hearing: AbortController | undefined;
  /** Resolves when what others publish from now on is heard. */
  #ready: Promise<void> = Promise.resolve();
  #publishing: Promise<void> = Promise.resolve();

  constructor(store: SessionStore<S>, { name = 'default', onError = () => undefined }: StoreEventBusOptions) {
    this.#store = store;
    this.#id = `bus-${name}`;
    this.#onError = onError;
  }

  /** Tells the listeners of this node at once, and those of others through the store. */
  publish(event: Event): void {
    this.#tell(event);
    const published: Published<Event> = { event, from: this.#self };
    this.#publishing = this.#publishing.then(async () => {
      try {
        await (await this.#open()).events.append(STREAM, published);
      } catch (error) {
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

  #hear(): void {
    const abort = (this.#hearing = new AbortController());
    const ready = Promise.withResolvers<void>();
    this.#ready = ready.promise;
    const follow = async (): Promise<void> => {
      const { events } = await this.#open();
      const [last] = await events.recent(1, STREAM);
      ready.resolve();
      for await (const { message } of events.tail({ streamId: STREAM, after: last?.id, signal: abort.signal })) {
        const { event, from } = message as Published<Event>;
        if (from !== this.#self) this.#tell(event);
      }
    };
    follow()
      .catch(this.#onError)
      .finally(() => {
        ready.resolve();
        // The next one that subscribes tries again.
        if (this.#hearing === abort) this.#hearing = undefined;
      });
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

  async #open(): Promise<Session<S>> {
    this.#record ??= this.#findOrCreate();
    try {
      return await this.#record;
    } catch (error) {
      this.#record = undefined;
      throw error;
    }
  }

  async #findOrCreate(): Promise<Session<S>> {
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
