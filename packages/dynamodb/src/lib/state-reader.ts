import type { StateRow } from '@mcp-session/core';
import { lost, type Connection } from './connection.ts';
import { keyOf, readNumber, readText, text, type Item } from './items.ts';
import {
  addFingerprint,
  fingerprint,
  HEAD,
  headKey,
  isLive,
  parseStateKey,
  stateKey,
  toHead,
  type Head,
} from './keys.ts';
import type { Known, Memory } from './memory.ts';
import { isOf, toKnownKey } from './state-items.ts';

/** A session's head and some of its keys as of one moment. */
interface Snapshot {
  readonly known: Known;
  readonly rows: ReadonlyMap<string, StateRow>;
}

/** The head fits in beside them. */
const MAX_KEYS = 99;

/** The reads of sessions' state. */
export class StateReader {
  readonly #connection: Connection;
  readonly #memory: Memory;

  constructor(connection: Connection, memory: Memory) {
    this.#connection = connection;
    this.#memory = memory;
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

  /** Reads several keys in a transaction, which others' writes cannot come in between. */
  async snapshot(sessionId: string, keys: readonly string[], now: number): Promise<Snapshot | undefined> {
    const { sessions } = this.#connection.tables;
    return this.#connection.untilWon(async () => {
      const wanted = [headKey(sessionId), ...keys.map((key) => stateKey(sessionId, key))];
      const [head, ...items] = await this.#connection.transactGet(sessions, wanted);
      return this.#toSnapshot(head, keys, items, now);
    });
  }

  /** Reads one key in a batch, for half the price of a transaction: for its value and whether it is there, it does not matter which of it and the head is read first. */
  async readOne(sessionId: string, keys: readonly string[], now: number): Promise<Snapshot | undefined> {
    return this.#connection.untilWon(async () => {
      const wanted = [headKey(sessionId), ...keys.map((key) => stateKey(sessionId, key))];
      const items = await this.#connection.batchGet({ sessions: wanted });
      const head = items.find((item) => keyOf(item).item === HEAD);
      const item = items.find((each) => each !== head);
      // Written after a clear that the head does not show yet: the next look will.
      if (head !== undefined && item !== undefined && (readNumber(item, 'epoch') ?? 0) > toHead(head).epoch)
        return lost;
      return this.#toSnapshot(head, keys, [item], now);
    });
  }

  // The head comes before the keys in the order of their items, so that one query gives both. Items of one query can be of different moments: the
  // head's sum of fingerprints tells.
  async #readAll(sessionId: string, now: number): Promise<readonly StateRow[] | undefined> {
    return this.#connection.untilWon(async () => {
      const items: Item[] = [];
      let start: Item | undefined;
      do {
        const page = await this.#connection.query({
          TableName: this.#connection.tables.sessions,
          KeyConditionExpression: 'id = :id and #item between :from and :to',
          ExpressionAttributeNames: { '#item': 'item' },
          // `$` follows `#`.
          ExpressionAttributeValues: { ':id': text(sessionId), ':from': text(HEAD), ':to': text('key$') },
          ...(start !== undefined && { ExclusiveStartKey: start }),
        });
        items.push(...page.items);
        start = page.next;
      } while (start !== undefined);
      const [first, ...others] = items;
      if (first === undefined || keyOf(first).item !== HEAD) return undefined;
      const head = toHead(first);
      if (!isLive(head, now)) return undefined;
      this.#memory.learn(head);
      const rows = assemble(head, others);
      const sum = rows.reduce((total, { key, version }) => addFingerprint(total, fingerprint(key, version)), 0);
      return rows.length === head.stateKeys && sum === head.stateSum ? rows : lost;
    });
  }

  async #toSnapshot(
    item: Item | undefined,
    keys: readonly string[],
    items: readonly (Item | undefined)[],
    now: number,
  ): Promise<Snapshot | undefined | typeof lost> {
    const head = item && toHead(item);
    if (head === undefined || !isLive(head, now)) return undefined;
    const learned = this.#memory.learn(head);
    const firsts = items.flatMap((each) => (each !== undefined && isOf(head, each) ? [each] : []));
    const others = firsts.flatMap((first) => partKeys(first));
    const parts = others.length === 0 ? [] : await this.#connection.batchGet({ sessions: others });
    const rows = assemble(head, [...firsts, ...parts]);
    // A part was written again before it could be read.
    if (rows.length < firsts.length) return lost;
    const known = learned.head.gen === head.gen ? { head, keys: learned.keys } : { head, keys: new Map() };
    for (const [index, key] of keys.entries()) this.#memory.learnKey(known, key, toKnownKey(head, items[index]));
    return { known, rows: new Map(rows.map((row) => [row.key, row])) };
  }
}

function partKeys(first: Item): { readonly id: string; readonly item: string }[] {
  const { id, item } = keyOf(first);
  const { key } = parseStateKey({ id, item });
  const count = readNumber(first, 'parts') ?? 1;
  return Array.from({ length: count - 1 }, (_, index) => stateKey(id, key, index + 1));
}

/** Puts the parts of values together. A value of which a part is missing or of another version is left out. */
function assemble(head: Head, items: readonly Item[]): StateRow[] {
  const parts = new Map<string, string>();
  const firsts: { readonly key: string; readonly version: number; readonly count: number }[] = [];
  for (const item of items) {
    if (!isOf(head, item)) continue;
    const { key, part } = parseStateKey(keyOf(item));
    const version = readNumber(item, 'version') ?? 0;
    if (part === 0) firsts.push({ key, version, count: readNumber(item, 'parts') ?? 1 });
    parts.set(`${version} ${part} ${key}`, readText(item, 'value') ?? '');
  }
  return firsts.flatMap(({ key, version, count }) => {
    const found = Array.from({ length: count }, (_, part) => parts.get(`${version} ${part} ${key}`));
    return found.includes(undefined) ? [] : [{ key, version, value: found.join('') }];
  });
}
