import type { StateRow } from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import { changesTooFast } from '../errors.ts';
import type { HeadCache, Known } from '../head-cache.ts';
import { isLive, toHead, type Head } from '../head.ts';
import { keyOf, readNumber, readText, text, type Item } from '../items.ts';
import { CONFLICT } from '../retries.ts';
import { HEAD, headKey, parseStateKey, stateKey } from '../schema.ts';
import { addFingerprint, fingerprint } from './fingerprints.ts';
import { isOf, toKnownKey } from './items.ts';

/** A session's head and some of its keys, as one snapshot. */
interface Snapshot {
  readonly known: Known;
  readonly rows: ReadonlyMap<string, StateRow>;
}

/** A head and all keys of a state, perhaps from different moments. */
interface Pass {
  readonly head: Head;
  readonly rows: Map<string, StateRow>;
  /** Keys with a part that was not visible. */
  readonly torn: readonly string[];
}

/** Maximum number of keys of one transaction of reads, which also has the head. */
const MAX_KEYS = 99;
/** Maximum bytes of values in one transaction of reads, which may have 4 MB. */
const MAX_BYTES = 3_000_000;
/** Attempts to read all of a state. */
const MAX_PASSES = 4;

/** Reads the state of sessions. */
export class StateReader {
  readonly #connection: Connection;
  readonly #cache: HeadCache;

  constructor(connection: Connection, cache: HeadCache) {
    this.#connection = connection;
    this.#cache = cache;
  }

  async read(
    sessionId: string,
    keys: readonly string[] | undefined,
    now: number,
  ): Promise<readonly StateRow[] | undefined> {
    if (keys === undefined || keys.length > MAX_KEYS) {
      const rows = await this.#readAll(sessionId, now);
      return keys === undefined ? rows : rows?.filter(({ key }) => keys.includes(key));
    }
    const found = await (keys.length === 1 ? this.readOne(sessionId, keys, now) : this.snapshot(sessionId, keys, now));
    return found && [...found.rows.values()];
  }

  /** Reads several keys in one transaction, as a snapshot. */
  async snapshot(sessionId: string, keys: readonly string[], now: number): Promise<Snapshot | undefined> {
    const { sessions } = this.#connection.tables;
    return this.#connection.retries.onConflict(async () => {
      const wanted = [headKey(sessionId), ...keys.map((key) => stateKey(sessionId, key))];
      const [head, ...items] = await this.#connection.transactGet(wanted.map((key) => ({ table: sessions, key })));
      return this.#toSnapshot(head, keys, items, now);
    });
  }

  /**
   * Reads one key in a batch, for half the price of a transaction. For one key, it does not matter
   * whether the key or the head is read first.
   */
  async readOne(sessionId: string, keys: readonly string[], now: number): Promise<Snapshot | undefined> {
    return this.#connection.retries.onConflict(async () => {
      const wanted = [headKey(sessionId), ...keys.map((key) => stateKey(sessionId, key))];
      const items = await this.#connection.batchGet({ sessions: wanted });
      const head = items.find((item) => keyOf(item).item === HEAD);
      const item = items.find((each) => each !== head);
      // The key was written after a clear that the head does not show yet. The next read shows it.
      if (head !== undefined && item !== undefined && (readNumber(item, 'epoch') ?? 0) > toHead(head).epoch) {
        return CONFLICT;
      }
      return this.#toSnapshot(head, keys, [item], now);
    });
  }

  /**
   * Reads all keys as a snapshot.
   *
   * Items of one query can be from different moments. The head's sum of fingerprints shows whether
   * they are a snapshot. If not, the keys that were seen to change are read again in a transaction,
   * and replace those of the query.
   */
  async #readAll(sessionId: string, now: number): Promise<readonly StateRow[] | undefined> {
    const busy = new Set<string>();
    let before: ReadonlyMap<string, StateRow> | undefined;
    for (let passes = 0; passes < MAX_PASSES; passes++) {
      const pass = await this.#pass(sessionId);
      if (pass === undefined || !isLive(pass.head, now)) return undefined;
      const { head, rows, torn } = pass;
      this.#cache.learn(head);
      if (addsUp(head, rows)) return [...rows.values()];
      for (const key of torn) busy.add(key);
      for (const [key, { version }] of rows) if (version > head.stateVersion) busy.add(key);
      for (const key of new Set(before === undefined ? [] : [...before.keys(), ...rows.keys()])) {
        if (before?.get(key)?.version !== rows.get(key)?.version) busy.add(key);
      }
      before = rows;
      if (busy.size === 0 || busy.size > MAX_KEYS || weightOf(busy, rows) > MAX_BYTES) continue;
      const snapshot = await this.snapshot(sessionId, [...busy], now);
      if (snapshot === undefined) return undefined;
      for (const key of busy) rows.delete(key);
      for (const [key, row] of snapshot.rows) rows.set(key, row);
      if (addsUp(snapshot.known.head, rows)) return [...rows.values()];
    }
    throw changesTooFast(this.#connection.label);
  }

  /**
   * Reads the head and all keys in one query, page by page: the head comes before the keys in the
   * order of their items.
   */
  async #pass(sessionId: string): Promise<Pass | undefined> {
    return this.#connection.retries.onConflict(async () => {
      const items: Item[] = [];
      const pages = this.#connection.pages({
        TableName: this.#connection.tables.sessions,
        KeyConditionExpression: 'id = :id and #item between :from and :to',
        ExpressionAttributeNames: { '#item': 'item' },
        // `$` sorts after `#`.
        ExpressionAttributeValues: { ':id': text(sessionId), ':from': text(HEAD), ':to': text('key$') },
      });
      for await (const page of pages) {
        items.push(...page.items);
      }
      const [first, ...others] = items;
      // The session does not exist, or only a part of a transaction was visible.
      if (first === undefined || keyOf(first).item !== HEAD) {
        return (await this.#connection.get(this.#connection.tables.sessions, headKey(sessionId))) && CONFLICT;
      }
      const head = toHead(first);
      const { rows, torn } = assemble(head, others);
      return { head, rows: new Map(rows.map((row) => [row.key, row])), torn };
    });
  }

  async #toSnapshot(
    item: Item | undefined,
    keys: readonly string[],
    items: readonly (Item | undefined)[],
    now: number,
  ): Promise<Snapshot | undefined | typeof CONFLICT> {
    const head = item && toHead(item);
    if (head === undefined || !isLive(head, now)) return undefined;
    const learned = this.#cache.learn(head);
    const firsts = items.flatMap((each) => (each !== undefined && isOf(head, each) ? [each] : []));
    const others = firsts.flatMap((first) => partKeys(first));
    const parts = others.length === 0 ? [] : await this.#connection.batchGet({ sessions: others });
    const { rows, torn } = assemble(head, [...firsts, ...parts]);
    // A part was overwritten before it could be read.
    if (torn.length > 0) return CONFLICT;
    const known = { ...learned, head };
    for (const [index, key] of keys.entries()) this.#cache.learnKey(known, key, toKnownKey(head, items[index]));
    return { known, rows: new Map(rows.map((row) => [row.key, row])) };
  }
}

function partKeys(first: Item): { readonly id: string; readonly item: string }[] {
  const { id, item } = keyOf(first);
  const { key } = parseStateKey({ id, item });
  const count = readNumber(first, 'parts') ?? 1;
  return Array.from({ length: count - 1 }, (_, index) => stateKey(id, key, index + 1));
}

/**
 * Joins the parts of values. `torn` are the keys with a part that is missing or has another
 * version.
 */
function assemble(head: Head, items: readonly Item[]) {
  const parts = new Map<string, string>();
  const firsts: { readonly key: string; readonly version: number; readonly count: number }[] = [];
  for (const item of items) {
    if (!isOf(head, item)) continue;
    const { key, part } = parseStateKey(keyOf(item));
    const version = readNumber(item, 'version') ?? 0;
    if (part === 0) firsts.push({ key, version, count: readNumber(item, 'parts') ?? 1 });
    parts.set(`${version} ${part} ${key}`, readText(item, 'value') ?? '');
  }
  const rows: StateRow[] = [];
  const torn: string[] = [];
  for (const { key, version, count } of firsts) {
    const found = Array.from({ length: count }, (_, part) => parts.get(`${version} ${part} ${key}`));
    if (found.includes(undefined)) torn.push(key);
    else rows.push({ key, version, value: found.join('') });
  }
  return { rows, torn };
}

function weightOf(keys: ReadonlySet<string>, rows: ReadonlyMap<string, StateRow>): number {
  let bytes = 0;
  for (const key of keys) bytes += Buffer.byteLength(rows.get(key)?.value ?? '');
  return bytes;
}

/** True if the rows are exactly the state that the head describes. */
function addsUp(head: Head, rows: ReadonlyMap<string, StateRow>): boolean {
  let sum = 0;
  for (const { key, version } of rows.values()) sum = addFingerprint(sum, fingerprint(key, version));
  return rows.size === head.stateKeys && sum === head.stateSum;
}
