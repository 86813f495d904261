import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { rest, type Background } from './background.ts';
import type { Connection } from './connection.ts';
import { Change, keyOf, number, text, type Item, type ItemKey } from './items.ts';
import { DATA_GRACE_S, dataTtl, HEAD, headKey, isLive, MAX_TRANSACTION_ITEMS, type Head } from './schema.ts';
import { clean } from './state/garbage.ts';
import type { Memory } from './head-cache.ts';
import { dueItem, failed } from './sessions/record.ts';
import { settle } from './events/settle.ts';

/** How long an item that is written again is followed by nothing, in milliseconds: it costs two units and two of its index, and a partition has 1,000 a second. */
const REST_MS = 8;
/** How many of a session's newest events a process that has not read them has to look at, before that is mended. */
const MAX_UNSETTLED = 100;

/**
 * Keeps what a live session holds in order: puts off the time to live of items that were written long ago, and removes what a clear left behind.
 *
 * The time to live of an item is a month after its session's expiry as it was when the item was written. A session that goes on for weeks would lose its oldest
 * items to it while it lives. So once half a month is used up, all its items get a new one. It can be cut off anywhere: what has its new time is not found again.
 */
export class Upkeep {
  readonly #connection: Connection;
  readonly #memory: Memory;
  readonly #background: Background;

  constructor(connection: Connection, memory: Memory, background: Background) {
    this.#connection = connection;
    this.#memory = memory;
    this.#background = background;
  }

  /** To be called after writes: without a sweep nobody else would do it. It costs nothing while nothing is due, and no write waits for it. */
  afterWrite(sessionId: string, now: number): void {
    const known = this.#memory.live(sessionId, now);
    if (known === undefined) return;
    const { head, settled } = known;
    if (isTtlDue(head))
      this.#background.add(`ttl ${sessionId}`, async (signal) => {
        await this.#putOffTtl(head, Infinity, (items) => rest(items * REST_MS, signal), signal);
      });
    if (head.lastSeq - Math.min(settled.through, head.settledSeq) > MAX_UNSETTLED)
      this.#background.add(`settle ${sessionId}`, () => settle(this.#connection, this.#memory, known));
  }

  /**
   * To be called by a sweep that comes to a live session.
   *
   * @param limit Items that are written at the most.
   * @returns How many were written, and whether nothing is left to do.
   */
  async visit(head: Head, limit: number, now: number): Promise<{ readonly count: number; readonly whole: boolean }> {
    if (!isLive(head, now)) return { count: 0, whole: true };
    if (head.litter) await clean(this.#connection, head);
    return isTtlDue(head) ? this.#putOffTtl(head, limit) : { count: 0, whole: true };
  }

  async #putOffTtl(
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
            // What was removed in the meantime must not come back as an item that holds nothing else.
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
    if (done) this.#memory.learn({ ...head, dataTtl: ttl });
    return { count, whole: true };
  }

  /** Keys of a session's items whose time to live is older, page by page. */
  async *#older(table: string, head: Head, ttl: number): AsyncGenerator<readonly ItemKey[], void, undefined> {
    let start: Item | undefined;
    let scanned = 0;
    do {
      const page = await this.#connection.query({
        TableName: table,
        KeyConditionExpression: 'id = :id',
        FilterExpression: '#ttl < :ttl',
        ProjectionExpression: 'id, #item',
        ExpressionAttributeNames: { '#item': 'item', '#ttl': 'ttl' },
        ExpressionAttributeValues: { ':id': text(head.id), ':ttl': number(ttl) },
        ...(start !== undefined && { ExclusiveStartKey: start }),
      });
      scanned += page.scanned;
      yield page.items.map(keyOf).filter(({ item }) => item !== HEAD);
      start = page.next;
    } while (start !== undefined);
    // A query beside a transaction is said to have come back empty although there was something.
    const some = table === this.#connection.tables.sessions || head.lastSeq > head.trimmedSeq;
    if (some && scanned === 0) throw new Error('A query of a session with items has found none');
  }

  /** Writes them, without those whose condition does not hold any more. */
  async #write(keys: readonly ItemKey[], toWrite: (one: ItemKey) => TransactWriteItem): Promise<void> {
    let some = keys;
    while (some.length > 0) {
      const reasons = await this.#connection.transactWrite(some.map(toWrite));
      if (reasons === undefined) return;
      some = some.filter((_, index) => !failed(reasons[index]));
    }
  }
}

function isTtlDue({ expiresAt, dataTtl: ttl }: Head): boolean {
  return dataTtl(expiresAt) - ttl > DATA_GRACE_S / 2;
}
