import type { AnySession, AnyStore } from '../store/session-handle.ts';

/** The kind of the record in which a node keeps its lease. */
const KIND = 'node';
/** The metadata of the record that holds when the lease expires, in Unix milliseconds. */
const LEASE_UNTIL = 'leaseUntil';
/**
 * How long the record is kept after its last renewal, whatever the options of the store. The id of
 * an expired record stays taken for a while.
 */
const RECORD_LIFE = { ttlMs: 7 * 86_400_000, maxLifetimeMs: Number.MAX_SAFE_INTEGER };

/**
 * Says whether the node that runs a request is alive. A client that resumes a request of a dead
 * node gets an error instead of silence.
 *
 * A node renews its lease three times per lease while it runs requests or owns standalone streams,
 * in one record for all of them. An idle node renews nothing. A request also counts as running for
 * one lease after it began, so that a short request costs nothing.
 */
export class NodeLease {
  readonly #store: AnyStore;
  readonly #nodeId: string;
  readonly #leaseMs: number;
  readonly #onError: (error: unknown) => void;
  #runningCount = 0;
  #timer: NodeJS.Timeout | undefined;
  #record: AnySession | undefined;
  /** One renewal at a time: two slow ones would both create the record. */
  #isRenewing = false;

  constructor(store: AnyStore, nodeId: string, leaseMs: number, onError: (error: unknown) => void) {
    this.#store = store;
    this.#nodeId = nodeId;
    this.#leaseMs = leaseMs;
    this.#onError = onError;
  }

  /** Holds the lease from now on. @returns A function to call when the work is done. */
  begin(): () => void {
    this.#runningCount++;
    this.#timer ??= setInterval(() => void this.#renewOnce(), Math.ceil(this.#leaseMs / 3)).unref();
    return () => {
      if (--this.#runningCount === 0) this.#stop();
    };
  }

  /** Removes the record: nothing runs here any more. */
  async close(): Promise<void> {
    this.#stop();
    try {
      await this.#record?.end();
    } catch (error) {
      this.#onError(error);
    }
  }

  /**
   * Reads how long a request of a node counts as running, in Unix milliseconds.
   *
   * @param beganAt When the request began, in Unix milliseconds; `undefined`: unknown.
   */
  async runsUntil(nodeId: string, beganAt: number | undefined): Promise<number> {
    const record = await this.#store.get(recordId(nodeId), { kind: KIND });
    const until = record?.metadata[LEASE_UNTIL];
    return Math.max(beganAt === undefined ? 0 : beganAt + this.#leaseMs, typeof until === 'number' ? until : 0);
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #renewOnce(): Promise<void> {
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    await this.#renew();
    this.#isRenewing = false;
  }

  async #renew(): Promise<void> {
    const until = Date.now() + this.#leaseMs;
    try {
      this.#record ??= await this.#findOrCreate();
      await this.#record.updateMetadata(() => ({ [LEASE_UNTIL]: until }));
    } catch (error) {
      // The record can have expired while this node had no work. The next renewal creates it anew.
      this.#record = undefined;
      this.#onError(error);
    }
  }

  /** Also finds a record that an earlier try created without learning of it. */
  async #findOrCreate(): Promise<AnySession> {
    const id = recordId(this.#nodeId);
    const found = await this.#store.get(id, { kind: KIND });
    return found ?? this.#store.create({ ...RECORD_LIFE, id, kind: KIND });
  }
}

function recordId(nodeId: string): string {
  return `node-${nodeId}`;
}
