import { isLive, type Head } from './schema.ts';
import { Settled } from './events/settled.ts';

/** What is known of a key of the state; `undefined`: it does not exist. */
export type KnownKey = { readonly version: number; readonly bytes: number; readonly parts: number } | undefined;

/** What this process saw last of a session. */
export interface Known {
  readonly head: Head;
  readonly keys: Map<string, KnownKey>;
  readonly settled: Settled;
}

const MAX_SESSIONS = 10_000;
const MAX_KEYS = 1_000;

/**
 * What this process saw last of sessions, so that a write need not read first. It answers nothing: each write that goes by it names it as its condition, and one
 * that is out of date only costs another attempt.
 */
export class Memory {
  readonly #sessions = new Map<string, Known>();

  get(id: string): Known | undefined {
    const known = this.#sessions.get(id);
    if (known === undefined) return undefined;
    // The one that was used last is forgotten last.
    this.#sessions.delete(id);
    this.#sessions.set(id, known);
    return known;
  }

  /**
   * Notes a head as it was read or written. Of one session's heads that arrive in any order, the newest stays, unless a condition has just failed
   * against the given one.
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

  learnKey({ keys }: Known, key: string, known: KnownKey): void {
    keys.delete(key);
    keys.set(key, known);
    if (keys.size > MAX_KEYS) dropFirst(keys);
  }

  forget(id: string): void {
    this.#sessions.delete(id);
  }

  /** @returns What is known of a session that was live when it was seen last; `undefined`: it must be read. */
  live(id: string, now: number): Known | undefined {
    const known = this.get(id);
    return known !== undefined && isLive(known.head, now) ? known : undefined;
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
