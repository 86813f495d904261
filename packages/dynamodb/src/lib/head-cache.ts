import type { CancellationReason } from '@aws-sdk/client-dynamodb';
import type { Connection } from './connection.ts';
import { Settled } from './head-cache/settled.ts';
import { isLive, toHead, type Head } from './head.ts';
import type { Item } from './items.ts';
import { headKey } from './schema.ts';

/** What is known of a state key; `undefined`: it does not exist. */
export type KnownKey = { readonly version: number; readonly bytes: number; readonly partCount: number } | undefined;

/** What this process saw last of a session. */
export interface Known {
  readonly head: Head;
  readonly keys: Map<string, KnownKey>;
  readonly settled: Settled;
}

const MAX_SESSIONS = 10_000;
const MAX_KEYS = 1_000;

/**
 * The heads that this process saw last, so that a write need not read first. The cache never
 * answers a call: each write that relies on an entry makes it a condition, so a stale entry only
 * costs another attempt.
 */
export class HeadCache {
  readonly #connection: Connection;
  readonly #sessions = new Map<string, Known>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get(id: string): Known | undefined {
    const known = this.#sessions.get(id);
    if (known === undefined) return undefined;
    // Reinserted, so that the least recently used entry comes first.
    this.#sessions.delete(id);
    this.#sessions.set(id, known);
    return known;
  }

  /**
   * @returns The entry if the session was live when it was seen last; `undefined`: it must be read.
   */
  findLive(id: string, now: number): Known | undefined {
    const known = this.get(id);
    return known !== undefined && isLive(known.head, now) ? known : undefined;
  }

  /** Reads a head from the table, live or not, and learns it. */
  async load(id: string): Promise<Known | undefined> {
    const item = await this.#connection.get(this.#connection.tables.sessions, headKey(id));
    if (item === undefined) this.forget(id);
    return item && this.learn(toHead(item));
  }

  /**
   * Learns a head that was read or written. Heads of one session may arrive in any order and the
   * newest stays, unless a condition has just failed against the given one (`refuted`).
   */
  learn(head: Head, { refuted = false }: { readonly refuted?: boolean } = {}): Known {
    const before = this.get(head.id);
    const same = before !== undefined && before.head.gen === head.gen;
    const settled = same ? before.settled : new Settled();
    settled.add(1, Math.max(head.settledSeq, head.trimmedSeq));
    if (same && !refuted && isNewer(before.head, head)) return before;
    const known = { head, keys: same ? before.keys : new Map<string, KnownKey>(), settled };
    this.#sessions.set(head.id, known);
    if (this.#sessions.size > MAX_SESSIONS) dropFirst(this.#sessions);
    return known;
  }

  /** Learns the head against which a condition has failed. @returns Its item. */
  learnFrom({ Item: item }: CancellationReason): Item | undefined {
    if (item !== undefined) this.learn(toHead(item), { refuted: true });
    return item;
  }

  learnKey({ keys }: Known, key: string, known: KnownKey): void {
    keys.delete(key);
    keys.set(key, known);
    if (keys.size > MAX_KEYS) dropFirst(keys);
  }

  forget(id: string): void {
    this.#sessions.delete(id);
  }
}

function isNewer(a: Head, b: Head): boolean {
  return (
    a.lastSeq > b.lastSeq ||
    a.trimmedSeq > b.trimmedSeq ||
    a.stateVersion > b.stateVersion ||
    a.expiresAt > b.expiresAt ||
    a.touchedAt > b.touchedAt
  );
}

function dropFirst(map: Map<string, unknown>): void {
  const [first] = map.keys();
  if (first !== undefined) map.delete(first);
}
