import type { AnySession, AnyStore } from '../store/session-handle.ts';

/** Kind of the record by which a node says that it lives. */
const KIND = 'node';
/** The fact of that record. */
const FACT = 'leaseUntil';
/** How long the record is kept after its last renewal, whatever the store's options say of sessions: an id that has expired cannot be had again. */
const RECORD_LIFE = { ttlMs: 7 * 86_400_000, maxLifetimeMs: Number.MAX_SAFE_INTEGER };

/**
 * Tells whether the node that runs a request still lives, so that a client that comes back for the answer of a dead one gets an error instead of silence.
 *
 * A request counts as being run for one lease after it began. A node with requests at work renews its lease at every third of it, in one record for
 * all of them; so what is answered sooner costs nothing.
 */
export class NodeLease {
  readonly #store: AnyStore;
  readonly #nodeId: string;
  readonly #leaseMs: number;
  readonly #onError: (error: unknown) => void;
  #atWork = 0;
  #timer: NodeJS.Timeout | undefined;
  #record: AnySession | undefined;
  /** One at a time: two that are slow would both make the record. */
  #renewing = false;

  constructor(store: AnyStore, nodeId: string, leaseMs: number, onError: (error: unknown) => void) {
    this.#store = store;
    this.#nodeId = nodeId;
    this.#leaseMs = leaseMs;
    this.#onError = onError;
  }

  /** Work begins on this node. @returns To be called when it ends. */
  begin(): () => void {
    this.#atWork++;
    this.#timer ??= setInterval(() => void this.#renewOnce(), Math.ceil(this.#leaseMs / 3)).unref();
    return () => {
      if (--this.#atWork === 0) this.#stop();
    };
  }

  /** Takes the record away: nothing runs here any more. */
  async close(): Promise<void> {
    this.#stop();
    try {
      await this.#record?.end();
    } catch (error) {
      this.#onError(error);
    }
  }

  /**
   * Until when a request counts as being run, in Unix milliseconds.
   *
   * @param beganAt When it began; `undefined`: nobody knows.
   */
  async runsUntil(nodeId: string, beganAt: number | undefined): Promise<number> {
    const record = await this.#store.get(recordId(nodeId), { kind: KIND });
    const until = record?.protocol[FACT];
    return Math.max(beganAt === undefined ? 0 : beganAt + this.#leaseMs, typeof until === 'number' ? until : 0);
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #renewOnce(): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    await this.#renew();
    this.#renewing = false;
  }

  async #renew(): Promise<void> {
    const until = Date.now() + this.#leaseMs;
    try {
      this.#record ??= await this.#findOrCreate();
      await this.#record.updateProtocol((facts) => ({ ...facts, [FACT]: until }));
    } catch (error) {
      // It can have expired while this node had no work, and is then made anew the next time.
      this.#record = undefined;
      this.#onError(error);
    }
  }

  /** Finds the record too: an earlier try can have made it and not have heard of it. */
  async #findOrCreate(): Promise<AnySession> {
    const id = recordId(this.#nodeId);
    return (
      (await this.#store.get(id, { kind: KIND })) ?? (await this.#store.create({ ...RECORD_LIFE, id, kind: KIND }))
    );
  }
}

function recordId(nodeId: string): string {
  return `node-${nodeId}`;
}
