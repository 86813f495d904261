import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { SweepResult } from '@mcp-session/core';
import type { Connection } from './connection.ts';
import { Change, keyOf, number, readNumber, text, toKey, type Item, type ItemKey } from './items.ts';
import {
  digits,
  dueKey,
  duePartition,
  DUE_SHARDS,
  HEAD,
  headKey,
  isLive,
  MAX_TRANSACTION_ITEMS,
  parseDueKey,
  toHead,
  type Head,
} from './keys.ts';
import { dueItem } from './sessions.ts';
import type { Upkeep } from './upkeep.ts';

/** Bytes that one transaction removes: it may hold 4 MB, perhaps with the copies in the index. */
const MAX_STEP_BYTES = 1_500_000;

/** Sessions that are swept at the same time: each takes a few requests, one after the other. */
const AT_ONCE = 8;

/** An item that belongs to a session, besides its head. */
interface Row {
  readonly table: string;
  readonly key: ItemKey;
  /** At the most about so many. */
  readonly bytes: number;
}

/** What came of one due item. */
interface Visit {
  readonly id: string;
  /** Rows that were looked at or removed. */
  readonly count: number;
  /** Whether nothing of it is left to do. */
  readonly whole: boolean;
  /** Whether the session's record is gone. */
  readonly gone: boolean;
}

/** Removes what is past its time. */
export class Sweep {
  readonly #connection: Connection;
  readonly #upkeep: Upkeep;

  constructor(connection: Connection, upkeep: Upkeep) {
    this.#connection = connection;
    this.#upkeep = upkeep;
  }

  async step(limit: number, now: number): Promise<SweepResult> {
    const ids: string[] = [];
    const { due, more } = await this.#due(limit, now);
    const heads = await this.#heads(due);
    let left = limit;
    let done = !more;
    for (let from = 0; from < due.length;) {
      if (left <= 0) return { ids, done: false };
      const some = due.slice(from, from + Math.min(AT_ONCE, left));
      from += some.length;
      // What is left is shared among them, so that they do not remove more together than one alone.
      const share = Math.floor(left / some.length);
      const visits = await Promise.allSettled(some.map((hint) => this.#visit(hint, heads, share, now)));
      for (const visit of visits) {
        // Only when all have ended: none goes on behind the back of a call that has failed.
        if (visit.status === 'rejected') throw visit.reason;
        const { id, count, whole, gone } = visit.value;
        left -= count;
        done &&= whole;
        if (gone) ids.push(id);
      }
    }
    return { ids, done };
  }

  async #visit(hint: ItemKey, heads: ReadonlyMap<string, Head>, limit: number, now: number): Promise<Visit> {
    const { id } = parseDueKey(hint);
    const head = heads.get(id);
    if (head !== undefined && !isLive(head, now)) return { id, ...(await this.#remove(head, hint, limit, now)) };
    if (head === undefined) await this.#dropHint(hint, id);
    else {
      await this.#upkeep.visit(head, now);
      await this.#move(hint, head.id, head.expiresAt);
    }
    return { id, count: 1, whole: true, gone: false };
  }

  /** Due items whose time has come, oldest first. Without them, it is one request for each shard. */
  async #due(limit: number, now: number): Promise<{ readonly due: readonly ItemKey[]; readonly more: boolean }> {
    const pages = await Promise.all(
      Array.from({ length: DUE_SHARDS }, (_, shard) =>
        this.#connection.query({
          TableName: this.#connection.tables.sessions,
          KeyConditionExpression: 'id = :id and #item < :end',
          ExpressionAttributeNames: { '#item': 'item' },
          ExpressionAttributeValues: { ':id': text(duePartition(shard)), ':end': text(digits(now + 1)) },
          Limit: limit,
        }),
      ),
    );
    const due = pages.flatMap(({ items }) => items.map(keyOf)).toSorted((a, b) => (a.item < b.item ? -1 : 1));
    return { due: due.slice(0, limit), more: due.length > limit || pages.some(({ next }) => next !== undefined) };
  }

  async #heads(due: readonly ItemKey[]): Promise<ReadonlyMap<string, Head>> {
    const ids = new Set(due.map((key) => parseDueKey(key).id));
    const items = await this.#connection.batchGet({ sessions: [...ids].map(headKey) });
    return new Map(items.map((item) => [keyOf(item).id, toHead(item)]));
  }

  /** Removes up to `limit` rows of a session that is over, and its head when none is left and its time has come. */
  async #remove(head: Head, hint: ItemKey, limit: number, now: number) {
    if (head.endedAt === undefined && !(await this.#markOver(head, now)))
      return { count: 1, whole: false, gone: false };
    const rows = await this.#rows(head.id, limit);
    let steps = inSteps(rows.found);
    const last = rows.more ? undefined : (steps.at(-1) ?? []);
    if (last !== undefined) steps = steps.slice(0, -1);
    const guard = new Change().when('gen', '=', text(head.gen)).whenPresent('endedAt');
    for (const step of steps)
      await this.#connection.transactWrite([
        { ConditionCheck: guard.check(this.#connection.tables.sessions, headKey(head.id)) },
        ...step.map(deletion),
      ]);
    const count = rows.found.length + 1;
    if (last === undefined) return { count, whole: false, gone: false };
    const gone = head.purgeAt <= now;
    const final = gone
      ? [{ Delete: guard.delete(this.#connection.tables.sessions, headKey(head.id)) }, this.#deletion(hint)]
      : [
          { ConditionCheck: guard.check(this.#connection.tables.sessions, headKey(head.id)) },
          ...this.#moving(hint, head.id, head.purgeAt),
        ];
    const reasons = await this.#connection.transactWrite([...final, ...last.map(deletion)]);
    // Another sweep was faster.
    if (reasons !== undefined) await this.#dropHint(hint, head.id);
    return { count, whole: true, gone: gone && reasons === undefined };
  }

  /** From here on it is over for nodes, too, whose clocks are behind: they must not find a session with half of its data. */
  async #markOver({ id, gen, expiresAt }: Head, now: number): Promise<boolean> {
    const change = new Change()
      .when('gen', '=', text(gen))
      .whenAbsent('endedAt')
      .when('expiresAt', '<=', number(now))
      .set('endedAt', number(expiresAt))
      .set('purgeAt', number(0))
      .remove('listKind')
      .remove('listOwner');
    return (await this.#connection.update(this.#connection.tables.sessions, headKey(id), change)).done;
  }

  /** Rows of a session besides its head, at most so many. Events first: they are the greater part of what is stored, and the secret part. */
  async #rows(id: string, limit: number): Promise<{ readonly found: readonly Row[]; readonly more: boolean }> {
    const { sessions, events } = this.#connection.tables;
    const found: Row[] = [];
    for (const table of [events, sessions]) {
      let start: Item | undefined;
      do {
        const page = await this.#connection.query({
          TableName: table,
          KeyConditionExpression: 'id = :id',
          ProjectionExpression: 'id, #item, #bytes',
          ExpressionAttributeNames: { '#item': 'item', '#bytes': 'bytes' },
          ExpressionAttributeValues: { ':id': text(id) },
          // One more, for the head is among them.
          Limit: limit - found.length + 1,
          ...(start !== undefined && { ExclusiveStartKey: start }),
        });
        const rows = page.items.map((item) => ({ table, key: keyOf(item), bytes: weightOf(item) }));
        found.push(...rows.filter(({ key }) => key.item !== HEAD));
        start = page.next;
        if (found.length > limit) return { found: found.slice(0, limit), more: true };
      } while (start !== undefined);
    }
    return { found, more: false };
  }

  /** Another sweep has removed the session, but this due item of it was left. */
  async #dropHint(hint: ItemKey, id: string): Promise<void> {
    const { sessions } = this.#connection.tables;
    await this.#connection.transactWrite([
      { ConditionCheck: new Change().whenAbsent('id').check(sessions, headKey(id)) },
      this.#deletion(hint),
    ]);
  }

  async #move(hint: ItemKey, id: string, at: number): Promise<void> {
    await this.#connection.transactWrite(this.#moving(hint, id, at));
  }

  #moving(hint: ItemKey, id: string, at: number): TransactWriteItem[] {
    const due = { Put: new Change().put(this.#connection.tables.sessions, dueItem(id, at)) };
    return dueKey(id, at).item === hint.item ? [due] : [due, this.#deletion(hint)];
  }

  #deletion(key: ItemKey): TransactWriteItem {
    return deletion({ table: this.#connection.tables.sessions, key });
  }
}

function deletion({ table, key }: Pick<Row, 'table' | 'key'>): TransactWriteItem {
  return { Delete: { TableName: table, Key: toKey(key) } };
}

function weightOf(item: Item): number {
  // Other parts than the first do not say what they weigh.
  return readNumber(item, 'bytes') ?? (/[.#]\d\d/.test(keyOf(item).item) ? 400_000 : 1_000);
}

/** Rows for one transaction each, with room for a head and two due items. */
function inSteps(rows: readonly Row[]): Row[][] {
  const steps: Row[][] = [];
  let bytes = 0;
  for (const row of rows) {
    const step = steps.at(-1);
    if (step === undefined || step.length === MAX_TRANSACTION_ITEMS - 3 || bytes + row.bytes > MAX_STEP_BYTES) {
      steps.push([row]);
      bytes = row.bytes;
    } else {
      step.push(row);
      bytes += row.bytes;
    }
  }
  return steps;
}
