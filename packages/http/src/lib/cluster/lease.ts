import { SessionError } from '@mcp-session/core';
import { processesOf } from '@mcp-session/core/transport';
import { setTimeout as pause } from 'node:timers/promises';
import type { StoreHealth } from '../store/health.ts';
import type { AnySession, AnyStore } from '../store/session-handle.ts';
import { EndedProcesses } from './ended-processes.ts';

/** The kind of the record in which a node keeps its lease. */
const KIND = 'node';
/** The metadata of the record that holds when the lease expires, in Unix milliseconds. */
const LEASE_UNTIL = 'leaseUntil';
/** The metadata of the record that identifies the node's process to the store. */
const PROCESS = 'process';
/**
 * How long the record is kept after its last renewal, whatever the options of the store. The id of
 * an expired record stays taken for a while.
 */
const RECORD_LIFE = { ttlMs: 7 * 86_400_000, maxLifetimeMs: Number.MAX_SAFE_INTEGER };
/** How often the record of a node is looked for that has none yet, in milliseconds. */
const LOOK_AGAIN_MS = 1_000;

/**
 * The delays before a process is identified, in milliseconds: a store that has just begun to listen
 * cannot do it yet.
 */
const IDENTIFY_AFTER_MS = [0, 50, 100, 250, 500, 1_000, 2_000];

/** What is known of another node. */
interface NodeStatus {
  /** Until when its requests count as running, in Unix milliseconds. */
  readonly until: number;
  /** `undefined`: its end cannot be known. */
  readonly process: string | undefined;
  readonly hasRecord: boolean;
}

export interface LeaseOptions {
  readonly nodeId: string;
  readonly leaseMs: number;
  readonly health: Pick<StoreHealth, 'write'>;
  readonly onError: (error: unknown) => void;
}

/**
 * Says whether the node that runs a request is alive. A client that resumes a request of a dead
 * node gets an error instead of silence.
 *
 * A node renews its lease three times per lease while it runs requests or owns standalone streams,
 * in one record for all of them. An idle node renews nothing. A request also counts as running for
 * one lease after it began, so that a short request costs nothing.
 *
 * Where the store can tell that a process has ended, the record also identifies the node's process,
 * from its first request on. Its requests then end with the process. The lease remains for a
 * process that hangs, and for one whose end cannot be known.
 */
export class NodeLease {
  readonly #store: AnyStore;
  readonly #nodeId: string;
  readonly #leaseMs: number;
  readonly #health: Pick<StoreHealth, 'write'>;
  readonly #onError: (error: unknown) => void;
  readonly #processes: EndedProcesses;
  #runningCount = 0;
  #timer: NodeJS.Timeout | undefined;
  #record: AnySession | undefined;
  /** One renewal at a time: two slow ones would both create the record. */
  #isRenewing = false;
  #process: string | undefined;
  #isClosed = false;
  #isPrepared = false;
  /** What the record has. */
  #stored: string | undefined;
  /** Whether the last renewal failed: the next one is not before its time. */
  #hasFailed = false;

  constructor(store: AnyStore, { nodeId, leaseMs, health, onError }: LeaseOptions) {
    this.#store = store;
    this.#nodeId = nodeId;
    this.#leaseMs = leaseMs;
    this.#health = health;
    this.#onError = onError;
    this.#processes = new EndedProcesses(processesOf(store));
  }

  /**
   * Finds out how to identify this process, so that the record of the first request can do it at
   * once. Call it with each request; only the first call does something.
   */
  prepare(): void {
    if (this.#isPrepared || !this.#processes.isKnown) return;
    this.#isPrepared = true;
    void this.#prepare();
  }

  /** Holds the lease from now on. @returns A function to call when the work is done. */
  begin(): () => void {
    this.#runningCount++;
    this.#timer ??= setInterval(() => void this.#renewOnce(), Math.ceil(this.#leaseMs / 3)).unref();
    // Stores what identifies this process, before the first renewal is due.
    if (this.#process !== this.#stored && !this.#hasFailed) void this.#renewOnce();
    return () => {
      if (--this.#runningCount === 0) this.#stop();
    };
  }

  /** Removes the record: nothing runs here any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stop();
    try {
      await this.#record?.end();
    } catch (error) {
      this.#onError(error);
    }
  }

  /**
   * Reads how long a request of a node counts as running, in Unix milliseconds; 0: its process has
   * ended.
   *
   * @param beganAt When the request began, in Unix milliseconds; `undefined`: unknown.
   */
  async runsUntil(nodeId: string, beganAt: number | undefined): Promise<number> {
    const { until, process } = await this.#statusOf(nodeId, beganAt);
    return (await this.#hasEnded(process)) ? 0 : until;
  }

  /**
   * Resolves when a request of a node does not count as running any more, or when the signal is
   * aborted. A node that has not ended its record gets one more lease: its event loop may only have
   * been blocked, and then its response is on its way.
   *
   * @param beganAt When the request began, in Unix milliseconds; `undefined`: unknown.
   */
  async untilOver(nodeId: string, beganAt: number | undefined, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { until, process, hasRecord } = await this.#statusOf(nodeId, beganAt);
      const leftMs = until + (hasRecord ? this.#leaseMs : 0) - Date.now();
      if (leftMs <= 0 || (await this.#hasEnded(process))) return;
      // A node that has just begun its first request is about to store its record.
      const waitMs = hasRecord || !this.#processes.isKnown ? leftMs : Math.min(leftMs, LOOK_AGAIN_MS);
      const over = new AbortController();
      const either = AbortSignal.any([signal, over.signal]);
      await Promise.race([
        pause(waitMs, undefined, { signal: either, ref: false }).catch(() => undefined),
        ...(process === undefined ? [] : [this.#processes.wait(process, either)]),
      ]);
      over.abort();
    }
  }

  async #statusOf(nodeId: string, beganAt: number | undefined): Promise<NodeStatus> {
    const record = await this.#store.get(recordId(nodeId), { kind: KIND });
    const { [LEASE_UNTIL]: until, [PROCESS]: process } = record?.metadata ?? {};
    return {
      until: Math.max(beganAt === undefined ? 0 : beganAt + this.#leaseMs, typeof until === 'number' ? until : 0),
      process: typeof process === 'string' ? process : undefined,
      hasRecord: record !== undefined,
    };
  }

  async #hasEnded(process: string | undefined): Promise<boolean> {
    return process !== undefined && process !== this.#process && this.#processes.hasEnded(process);
  }

  async #prepare(): Promise<void> {
    for (const delayMs of IDENTIFY_AFTER_MS) {
      if (delayMs > 0) await pause(delayMs, undefined, { ref: false });
      if (this.#isClosed) return;
      this.#process = await this.#processes.identify();
      if (this.#process === undefined) continue;
      if (this.#runningCount > 0) await this.#renewOnce();
      return;
    }
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #renewOnce(): Promise<void> {
    if (this.#isRenewing || this.#isClosed) return;
    this.#isRenewing = true;
    await this.#renew();
    this.#isRenewing = false;
    // Not before the renewal, which must not wait for it. The next one stores it.
    this.#process = await this.#processes.identify();
  }

  async #renew(): Promise<void> {
    const process = this.#process;
    const metadata = {
      [LEASE_UNTIL]: Date.now() + this.#leaseMs,
      ...(process !== undefined && { [PROCESS]: process }),
    };
    try {
      this.#record = await this.#health.write(() => this.#write(metadata));
      this.#stored = process;
      this.#hasFailed = false;
    } catch (error) {
      // The record can have expired while this node had no work. The next renewal creates it anew.
      this.#record = undefined;
      this.#stored = undefined;
      this.#hasFailed = true;
      this.#onError(error);
    }
  }

  /** Also finds a record that an earlier try created without learning of it. */
  async #write(metadata: Readonly<Record<string, string | number>>): Promise<AnySession> {
    if (this.#record !== undefined) {
      await this.#record.updateMetadata(() => metadata);
      return this.#record;
    }
    const id = recordId(this.#nodeId);
    try {
      return await this.#store.create({ ...RECORD_LIFE, id, kind: KIND, metadata });
    } catch (error) {
      const exists = error instanceof SessionError && error.code === 'SESSION_EXISTS';
      const found = exists ? await this.#store.get(id, { kind: KIND }) : undefined;
      if (found === undefined) throw error;
      await found.updateMetadata(() => metadata);
      return found;
    }
  }
}

function recordId(nodeId: string): string {
  return `node-${nodeId}`;
}
