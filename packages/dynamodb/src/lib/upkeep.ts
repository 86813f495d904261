import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { Connection } from './connection.ts';
import { Change, keyOf, number, readNumber, text, type Item, type ItemKey } from './items.ts';
import {
  DATA_GRACE_S,
  dataTtl,
  HEAD,
  headKey,
  isLive,
  MAX_TRANSACTION_ITEMS,
  parseStateKey,
  type Head,
} from './keys.ts';
import type { Memory } from './memory.ts';
import { dueItem, failed } from './sessions.ts';
import { isOf } from './state-items.ts';

/**
 * Keeps what a live session holds in order: puts off the time to live of items that were written long ago, and removes what a clear left behind.
 *
 * The time to live of an item is a month after its session's expiry as it was when the item was written. A session that goes on for weeks would lose its oldest
 * items to it while it lives. So once half a month is used up, all its items get a new one.
 */
export class Upkeep {
  readonly #connection: Connection;
  readonly #memory: Memory;

  constructor(connection: Connection, memory: Memory) {
    this.#connection = connection;
    this.#memory = memory;
  }

  /** To be called after writes: without a sweep nobody else would do it. It costs nothing while nothing is due. */
  async afterWrite(sessionIds: readonly string[], now: number): Promise<void> {
    for (const id of sessionIds) {
      const head = this.#memory.live(id, now)?.head;
      // The write itself was done. What fails here is tried again after the next one, for two weeks.
      if (head !== undefined && isTtlDue(head)) await this.#putOffTtl(head).catch(() => undefined);
    }
  }

  /** To be called by a sweep that comes to a live session. */
  async visit(head: Head, now: number): Promise<void> {
    if (!isLive(head, now)) return;
    if (isTtlDue(head)) await this.#putOffTtl(head);
    if (head.litter) await this.#clean(head);
  }

  async #putOffTtl(head: Head): Promise<void> {
    const { sessions, events } = this.#connection.tables;
    const ttl = dataTtl(head.expiresAt);
    for (const table of [events, sessions]) {
      for await (const items of this.#pages(table, head.id, 'id, #item')) {
        const keys = items.map(keyOf).filter(({ item }) => item !== HEAD);
        await this.#inTransactions(keys, (key) => ({
          // What was removed in the meantime must not come back as an item that holds nothing else.
          Update: new Change().whenPresent('id').set('ttl', number(ttl)).update(table, key),
        }));
      }
    }
    await this.#connection.transactWrite([{ Put: new Change().put(sessions, dueItem(head.id, head.expiresAt)) }]);
    const change = new Change().when('gen', '=', text(head.gen)).set('dataTtl', number(ttl));
    const { done } = await this.#connection.update(sessions, headKey(head.id), change);
    if (done) this.#memory.learn({ ...head, dataTtl: ttl });
  }

  /** Removes items of the state that nothing reads: those of an older epoch, and parts of a value that was replaced. */
  async #clean(head: Head): Promise<void> {
    const { sessions } = this.#connection.tables;
    const items: Item[] = [];
    for await (const page of this.#pages(sessions, head.id, 'id, #item, gen, epoch, version, parts'))
      items.push(...page.filter((item) => keyOf(item).item.startsWith('key#')));
    const present = new Map<string, Item>();
    for (const item of items) {
      const { key, part } = parseStateKey(keyOf(item));
      if (part === 0 && isOf(head, item)) present.set(key, item);
    }
    const litter = items.filter((item) => {
      const { key, part } = parseStateKey(keyOf(item));
      const first = present.get(key);
      const version = first && readNumber(first, 'version');
      return version !== readNumber(item, 'version') || part >= (readNumber(first ?? {}, 'parts') ?? 0);
    });
    // Nothing may have been written since the head was read: a new part beside an old first one looks like litter, too.
    const unchanged = new Change()
      .when('gen', '=', text(head.gen))
      .when('stateVersion', '=', number(head.stateVersion));
    const guard = { ConditionCheck: unchanged.check(sessions, headKey(head.id)) };
    for (let from = 0; from < litter.length; from += MAX_TRANSACTION_ITEMS - 1) {
      const some = litter.slice(from, from + MAX_TRANSACTION_ITEMS - 1);
      const deletes = some.map((item) => ({ Delete: new Change().delete(sessions, keyOf(item)) }));
      if ((await this.#connection.transactWrite([guard, ...deletes])) !== undefined) return;
    }
    const clean = new Change()
      .when('gen', '=', text(head.gen))
      .when('stateVersion', '=', number(head.stateVersion))
      .set('litter', { BOOL: false });
    await this.#connection.update(sessions, headKey(head.id), clean);
  }

  async *#pages(table: string, id: string, projection: string): AsyncGenerator<readonly Item[], void, undefined> {
    let start: Item | undefined;
    do {
      const page = await this.#connection.query({
        TableName: table,
        KeyConditionExpression: 'id = :id',
        ProjectionExpression: projection,
        ExpressionAttributeNames: { '#item': 'item' },
        ExpressionAttributeValues: { ':id': text(id) },
        ...(start !== undefined && { ExclusiveStartKey: start }),
      });
      yield page.items;
      start = page.next;
    } while (start !== undefined);
  }

  /** Writes as many as a transaction holds at once, without those whose condition does not hold any more. */
  async #inTransactions(all: readonly ItemKey[], toWrite: (one: ItemKey) => TransactWriteItem): Promise<void> {
    for (let from = 0; from < all.length; from += MAX_TRANSACTION_ITEMS) {
      let some = all.slice(from, from + MAX_TRANSACTION_ITEMS);
      while (some.length > 0) {
        const reasons = await this.#connection.transactWrite(some.map(toWrite));
        if (reasons === undefined) break;
        some = some.filter((_, index) => !failed(reasons[index]));
      }
    }
  }
}

function isTtlDue({ expiresAt, dataTtl: ttl }: Head): boolean {
  return dataTtl(expiresAt) - ttl > DATA_GRACE_S / 2;
}
