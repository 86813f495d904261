import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { rest, type Background } from './background.ts';
import type { Connection } from './connection.ts';
import { Change, keyOf, number, text, type ItemKey } from './items.ts';
import { DATA_GRACE_S, dataTtl, dueItem, HEAD, headKey, MAX_TRANSACTION_ITEMS } from './schema.ts';
import { removeGarbage } from './state/garbage.ts';
import type { HeadCache } from './head-cache.ts';
import { isLive, type Head } from './head.ts';
import { conditionFailed } from './sessions/renewal.ts';
import { settle } from './events/settle.ts';

/**
 * Pause after each rewritten item, in milliseconds: it costs two units and two for its index, and a
 * partition has 1,000 per second.
 */
const REST_MS = 8;
/** Maximum number of unsettled events of a session before they are settled in the background. */
const MAX_UNSETTLED = 100;

/**
 * Maintains live sessions: extends the time to live of old items, settles events, and removes
 * garbage.
 *
 * The time to live of an item is a month after its session's expiry, as of the write. A session
 * that lives for weeks would lose its oldest items. So when half a month is used up, all its items
 * get a new time to live. This can stop anywhere, because items with the new time are not found
 * again.
 */
export class TtlMaintenance {
  readonly #connection: Connection;
  readonly #cache: HeadCache;
  readonly #background: Background;

  constructor(connection: Connection, cache: HeadCache, background: Background) {
    this.#connection = connection;
    this.#cache = cache;
    this.#background = background;
  }

  /**
   * Starts due maintenance in the background. Call it after each write, because there may be no
   * sweeps. It costs nothing while nothing is due, and no write waits for it.
   */
  afterWrite(sessionId: string, now: number): void {
    const known = this.#cache.findLive(sessionId, now);
    if (known === undefined) return;
    const { head, settled } = known;
    if (ttlIsDue(head)) {
      this.#background.add(`ttl ${sessionId}`, async (signal) => {
        await this.#extendTtl(head, Infinity, (items) => rest(items * REST_MS, signal), signal);
      });
    }
    if (head.lastSeq - Math.min(settled.through, head.settledSeq) > MAX_UNSETTLED) {
      this.#background.add(`settle ${sessionId}`, () => settle(this.#connection, this.#cache, known));
    }
  }

  /**
   * Maintains a session. A sweep calls it for each live session that it visits.
   *
   * @param limit Most items to write.
   * @returns How many items were written, and whether nothing is left to do.
   */
  async visit(head: Head, limit: number, now: number): Promise<{ readonly count: number; readonly whole: boolean }> {
    if (!isLive(head, now)) return { count: 0, whole: true };
    if (head.hasGarbage) await removeGarbage(this.#connection, head);
    return ttlIsDue(head) ? this.#extendTtl(head, limit) : { count: 0, whole: true };
  }

  async #extendTtl(
    head: Head,
    limit: number,
    pause: (items: number) => Promise<void> = async () => undefined,
    signal?: AbortSignal,
  ) {
    const { sessions, events } = this.#connection.tables;
    const ttl = dataTtl(head.expiresAt);
    let count = 0;
    for (const table of [events, sessions]) {
      for await (const keys of this.#older(table, head, ttl)) {
        for (let from = 0; from < keys.length; from += MAX_TRANSACTION_ITEMS) {
          if (count >= limit || signal?.aborted === true) return { count, whole: false };
          const some = keys.slice(from, from + MAX_TRANSACTION_ITEMS);
          await this.#write(some, (key) => ({
            // An item that was removed meanwhile must not come back as an item with nothing but
            // this.
            Update: new Change().whenPresent('id').set('ttl', number(ttl)).update(table, key),
          }));
          count += some.length;
          await pause(some.length);
        }
      }
    }
    await this.#connection.transactWrite([{ Put: new Change().put(sessions, dueItem(head.id, head.expiresAt)) }]);
    const change = new Change().when('gen', '=', text(head.gen)).set('dataTtl', number(ttl));
    const { done } = await this.#connection.update(sessions, headKey(head.id), change);
    if (done) this.#cache.learn({ ...head, dataTtl: ttl });
    return { count, whole: true };
  }

  /** The keys of a session's items with an older time to live, page by page. */
  async *#older(table: string, head: Head, ttl: number): AsyncGenerator<readonly ItemKey[], void, undefined> {
    let scanned = 0;
    const pages = this.#connection.pages({
      TableName: table,
      KeyConditionExpression: 'id = :id',
      FilterExpression: '#ttl < :ttl',
      ProjectionExpression: 'id, #item',
      ExpressionAttributeNames: { '#item': 'item', '#ttl': 'ttl' },
      ExpressionAttributeValues: { ':id': text(head.id), ':ttl': number(ttl) },
    });
    for await (const page of pages) {
      scanned += page.scanned;
      yield page.items.map(keyOf).filter(({ item }) => item !== HEAD);
    }
    // While a transaction is in progress, a query can wrongly find nothing.
    const some = table === this.#connection.tables.sessions || head.lastSeq > head.trimmedSeq;
    if (some && scanned === 0) throw new Error('A query of a session with items has found none');
  }

  /** Writes the items whose condition still holds. */
  async #write(keys: readonly ItemKey[], toWrite: (one: ItemKey) => TransactWriteItem): Promise<void> {
    let some = keys;
    while (some.length > 0) {
      const reasons = await this.#connection.transactWrite(some.map(toWrite));
      if (reasons === undefined) return;
      some = some.filter((_, index) => !conditionFailed(reasons[index]));
    }
  }
}

function ttlIsDue({ expiresAt, dataTtl: ttl }: Head): boolean {
  return dataTtl(expiresAt) - ttl > DATA_GRACE_S / 2;
}
