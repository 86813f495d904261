import {
  judgeCommit,
  type KeyedLock,
  type StateCommit,
  type StateResult,
  type StateRow,
  type StateTotals,
  type StateWrite,
} from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import type { HeadCache, Known, KnownKey } from '../head-cache.ts';
import { isLive, type Head } from '../head.ts';
import { number } from '../items.ts';
import { CONFLICT } from '../retries.ts';
import { dataTtl, headKey, MAX_TRANSACTION_ITEMS } from '../schema.ts';
import { applyRenewal, conditionFailed, isLiveItem, renew, whileLive } from '../sessions/renewal.ts';
import { addFingerprint, fingerprint } from './fingerprints.ts';
import { firstItem, oldParts, otherParts, toKeyWrites, toKnownKey, type KeyWrite } from './items.ts';
import type { StateReader } from './read.ts';

/** What this process knows of a session and the written keys before a commit. */
interface Basis {
  readonly known: Known;
  /** The rows of the keys if they were read for this attempt; `undefined`: from the cache. */
  readonly rows: ReadonlyMap<string, StateRow> | undefined;
  /** True if head and keys were read as one snapshot. */
  readonly isSnapshot: boolean;
}

/** The counters that a commit changes in the head. */
type Counters = Pick<Head, 'stateVersion' | 'stateKeys' | 'stateBytes' | 'stateSum'>;

/** Writes the state of sessions. */
export class StateWriter {
  readonly #connection: Connection;
  readonly #cache: HeadCache;
  readonly #lock: KeyedLock;
  readonly #reader: StateReader;

  constructor(connection: Connection, cache: HeadCache, lock: KeyedLock, reader: StateReader) {
    this.#connection = connection;
    this.#cache = cache;
    this.#lock = lock;
    this.#reader = reader;
  }

  async commit(commit: StateCommit, now: number): Promise<StateResult | undefined> {
    const { sessionId, writes } = commit;
    return this.#lock.run(sessionId, async () => {
      let wasRefused = false;
      return this.#connection.retries.onConflict(
        async () => {
          const basis = await this.#basisOf(commit, wasRefused, now);
          if (basis === undefined) return undefined;
          const { known, rows, isSnapshot } = basis;
          const before = writes.map(({ key }) => known.keys.get(key));
          const { stateKeys, stateBytes } = known.head;
          const verdict = judgeCommit(commit, before, { keys: stateKeys, bytes: stateBytes });
          wasRefused = verdict.status !== 'accepted';
          if (verdict.status === 'accepted') return this.#write(commit, known, before, verdict.totals, now);
          // The cache cannot refuse. Nor can a limit that was not read as a snapshot, because the
          // totals and the size of the key belong together.
          if (rows === undefined) return CONFLICT;
          if (verdict.status === 'conflict') return { ...verdict, current: rows.get(verdict.key) };
          return isSnapshot ? verdict : CONFLICT;
        },
        () => this.#cache.load(sessionId),
      );
    });
  }

  // One update, however many keys there are: keys of an older epoch do not exist. Sweeps remove
  // them.
  async clear(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined> {
    return this.#lock.run(sessionId, () =>
      this.#connection.retries.onConflict(async () => {
        const head = (this.#cache.findLive(sessionId, now) ?? (await this.#cache.load(sessionId)))?.head;
        if (head === undefined || !isLive(head, now)) return undefined;
        const change = whileLive(head, now).when('stateVersion', '=', number(head.stateVersion));
        const counters = { stateVersion: head.stateVersion + 1, stateKeys: 0, stateBytes: 0, stateSum: 0 };
        for (const [name, value] of Object.entries(counters)) change.set(name, number(value));
        const epoch = head.epoch + 1;
        const hasGarbage = head.hasGarbage || head.stateKeys > 0;
        change.set('epoch', number(epoch)).set('litter', { BOOL: hasGarbage });
        renew(change, head, expiresAt, now);
        // A transaction instead of an update, because its token makes a retry safe.
        const update = change.update(this.#connection.tables.sessions, headKey(sessionId));
        const [reason] = (await this.#connection.transactWrite([{ Update: update }])) ?? [];
        if (reason !== undefined) return isLiveItem(this.#cache.learnFrom(reason), now) ? CONFLICT : undefined;
        this.#cache.learn(applyRenewal(head, expiresAt, now, { ...counters, epoch, hasGarbage }));
        this.#cache.get(sessionId)?.keys.clear();
        return head.stateKeys;
      }),
    );
  }

  /** Takes what the cache knows, or reads. @param mustRead True after the commit was refused. */
  async #basisOf({ sessionId, writes }: StateCommit, mustRead: boolean, now: number): Promise<Basis | undefined> {
    const known = mustRead ? undefined : this.#cache.findLive(sessionId, now);
    if (known !== undefined && knowsAll(known, writes)) return { known, rows: undefined, isSnapshot: false };
    const keys = writes.map(({ key }) => key);
    const isSnapshot = writes.length > 1 || mustRead;
    const snapshot = await (isSnapshot
      ? this.#reader.snapshot(sessionId, keys, now)
      : this.#reader.readOne(sessionId, keys, now));
    return snapshot && { ...snapshot, isSnapshot };
  }

  async #write(
    { sessionId, writes, expiresAt }: StateCommit,
    { head }: Known,
    before: readonly KnownKey[],
    totals: StateTotals,
    now: number,
  ): Promise<StateResult | undefined | typeof CONFLICT> {
    const table = this.#connection.tables.sessions;
    const version = head.stateVersion + 1;
    const facts = { table, head, version, ttl: dataTtl(Math.max(head.expiresAt, expiresAt ?? 0)) };
    const keyWrites = toKeyWrites(writes, before);
    const items = [
      ...keyWrites.map((write) => firstItem(facts, write)),
      ...keyWrites.flatMap((write) => otherParts(facts, write)),
    ];
    // Parts of an old value that have no room stay behind. No reader takes them for parts of
    // another version.
    const old = keyWrites.flatMap((write) => oldParts(facts, write));
    const room = MAX_TRANSACTION_ITEMS - 1 - items.length;
    const hasGarbage = head.hasGarbage || old.length > room;

    const counters = countersAfter(head, keyWrites, totals);
    const change = whileLive(head, now).when('stateVersion', '=', number(head.stateVersion));
    for (const [name, value] of Object.entries(counters)) change.set(name, number(value));
    if (hasGarbage && !head.hasGarbage) change.set('litter', { BOOL: true });
    renew(change, head, expiresAt, now);
    const update = { Update: change.update(table, headKey(sessionId)) };
    const reasons = await this.#connection.transactWrite([update, ...items, ...old.slice(0, room)]);

    if (reasons !== undefined) {
      const [onHead, ...onKeys] = reasons;
      if (conditionFailed(onHead) && !isLiveItem(this.#cache.learnFrom(onHead), now)) return undefined;
      const present = this.#cache.get(sessionId);
      for (const [index, { key }] of writes.entries()) {
        const reason = onKeys[index];
        if (present !== undefined && conditionFailed(reason)) {
          this.#cache.learnKey(present, key, toKnownKey(present.head, reason.Item));
        }
      }
      return CONFLICT;
    }
    const after = this.#cache.learn(applyRenewal(head, expiresAt, now, { ...counters, hasGarbage }));
    for (const { write, parts } of keyWrites) {
      const { key, value, bytes } = write;
      this.#cache.learnKey(after, key, value === undefined ? undefined : { version, bytes, partCount: parts.length });
    }
    return { status: 'committed', version, existed: before.map((entry) => entry !== undefined) };
  }
}

/** True if the cache knows every written key. In a session without keys, every key is known. */
function knowsAll({ head, keys }: Known, writes: readonly StateWrite[]): boolean {
  return head.stateKeys === 0 || writes.every(({ key }) => keys.has(key));
}

function countersAfter(head: Head, keyWrites: readonly KeyWrite[], totals: StateTotals): Counters {
  const stateVersion = head.stateVersion + 1;
  let { stateSum } = head;
  for (const { write, before } of keyWrites) {
    const { key, value } = write;
    if (before !== undefined) stateSum = addFingerprint(stateSum, -fingerprint(key, before.version));
    if (value !== undefined) stateSum = addFingerprint(stateSum, fingerprint(key, stateVersion));
  }
  return { stateVersion, stateKeys: totals.keys, stateBytes: totals.bytes, stateSum };
}
