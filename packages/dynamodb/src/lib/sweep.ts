import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { SweepResult } from '@mcp-session/core/backend';
import type { Connection } from './connection.ts';
import { isLive, toHead, type Head } from './head.ts';
import { Change, keyOf, number, text, type Item, type ItemKey } from './items.ts';
import { digits, dueItem, dueKey, duePartition, DUE_SHARDS, eventKey, HEAD, headKey, parseDueKey } from './schema.ts';
import { deletion, inSteps, weightOf, type Row } from './sweep/removal.ts';
import type { TtlMaintenance } from './ttl-maintenance.ts';

/** Due items that are read in one request, with the heads of their sessions. */
const LOOK = 8;

/** Sessions that are swept at the same time. Each takes a few requests, one after another. */
const AT_ONCE = 8;

/** The outcome of one due item. */
interface Visit {
  readonly id: string;
  /** Rows that were read or removed. */
  readonly count: number;
  /** True if nothing is left to do for the session now. */
  readonly whole: boolean;
  /** True if this sweep has removed the session's record. */
  readonly gone: boolean;
  /** True if another sweep has handled the due item meanwhile. */
  readonly overtaken: boolean;
}

/** Removes expired sessions, ended sessions and tombstones that are due. */
export class Sweeper {
  readonly #connection: Connection;
  readonly #maintenance: TtlMaintenance;

  constructor(connection: Connection, maintenance: TtlMaintenance) {
    this.#connection = connection;
    this.#maintenance = maintenance;
  }

  // Sweeps of several nodes work on the same due items without knowing about each other. Each
  // starts at a random place, and checks which due items still exist right before it works on them.
  // A sweep that meets another continues at another random place. Otherwise both would go on side
  // by side and do everything twice.
  async sweep(limit: number, now: number): Promise<SweepResult> {
    const ids: string[] = [];
    const { due, more } = await this.#due(limit, now);
    const parts = Array.from({ length: Math.ceil(due.length / LOOK) }, (_, n) => due.slice(n * LOOK, (n + 1) * LOOK));
    let left = limit;
    let done = !more;
    let at = 0;
    while (parts.length > 0) {
      if (left <= 0) return { ids, done: false };
      const part = parts.splice(at % parts.length, 1).flat();
      const { present, heads } = await this.#look(part);
      let met = present.length < part.length;
      for (let next = 0; next < present.length;) {
        if (left <= 0) return { ids, done: false };
        const some = present.slice(next, next + Math.min(AT_ONCE, left));
        next += some.length;
        // They share the remaining limit.
        const share = Math.floor(left / some.length);
        const visits = await Promise.allSettled(some.map((due) => this.#visit(due, heads, share, now)));
        for (const visit of visits) {
          // Thrown only after all have ended, so that none continues after the call has failed.
          if (visit.status === 'rejected') throw visit.reason;
          const { id, count, whole, gone, overtaken } = visit.value;
          left -= count;
          done &&= whole;
          met ||= overtaken;
          if (gone) ids.push(id);
        }
      }
      if (met) at = Math.floor(Math.random() * parts.length);
    }
    return { ids, done };
  }

  async #visit(due: ItemKey, heads: ReadonlyMap<string, Head>, limit: number, now: number): Promise<Visit> {
    const { id } = parseDueKey(due);
    const head = heads.get(id);
    if (head !== undefined && !isLive(head, now)) return { id, ...(await this.#remove(head, due, limit, now)) };
    if (head === undefined) {
      await this.#dropDue(due, id);
      return { id, count: 1, whole: true, gone: false, overtaken: true };
    }
    const { count, whole } = await this.#maintenance.visit(head, limit, now);
    if (whole) await this.#move(due, head.id, head.expiresAt);
    return { id, count: count + 1, whole, gone: false, overtaken: false };
  }

  /** Reads the due items, from a random one on. Costs one request per shard if there are none. */
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
    const due = pages.flatMap(({ items }) => items.map(keyOf));
    const first = Math.floor(Math.random() * due.length);
    const fromThere = [...due.slice(first), ...due.slice(0, first)];
    return { due: fromThere.slice(0, limit), more: due.length > limit || pages.some(({ next }) => next !== undefined) };
  }

  /** Reads which of the due items still exist, and the heads of their sessions. */
  async #look(due: readonly ItemKey[]) {
    const ids = new Set(due.map((key) => parseDueKey(key).id));
    const items = await this.#connection.batchGet({ sessions: [...due, ...[...ids].map(headKey)] });
    const heads = items.filter((item) => keyOf(item).item === HEAD);
    const left = new Set(items.map((item) => keyOf(item).item));
    return {
      present: due.filter(({ item }) => left.has(item)),
      heads: new Map(heads.map((item) => [keyOf(item).id, toHead(item)])),
    };
  }

  /**
   * Removes up to `limit` rows of an expired or ended session, and its head when no row is left and
   * its tombstone is due.
   */
  async #remove(head: Head, due: ItemKey, limit: number, now: number) {
    if (head.endedAt === undefined && !(await this.#end(head, now))) {
      return { count: 1, whole: false, gone: false, overtaken: true };
    }
    const rows = await this.#rows(head, limit);
    let steps = inSteps(rows.found);
    const last = rows.more ? undefined : (steps.at(-1) ?? []);
    if (last !== undefined) steps = steps.slice(0, -1);
    const guard = new Change().when('gen', '=', text(head.gen)).whenPresent('endedAt');
    for (const step of steps) {
      await this.#connection.transactWrite([
        { ConditionCheck: guard.check(this.#connection.tables.sessions, headKey(head.id)) },
        ...step.map(deletion),
      ]);
    }
    const count = rows.found.length;
    if (last === undefined) return { count: count + 1, whole: false, gone: false, overtaken: false };
    const gone = head.purgeAt <= now;
    const final = gone
      ? [{ Delete: guard.delete(this.#connection.tables.sessions, headKey(head.id)) }, this.#deletion(due)]
      : [
          { ConditionCheck: guard.check(this.#connection.tables.sessions, headKey(head.id)) },
          ...this.#moving(due, head.id, head.purgeAt),
        ];
    const reasons = await this.#connection.transactWrite([...final, ...last.map(deletion)]);
    const overtaken = reasons !== undefined;
    if (overtaken) await this.#dropDue(due, head.id);
    // The head and the due item count as well.
    return { count: count + 2, whole: true, gone: gone && !overtaken, overtaken };
  }

  /** Ends an expired session, so that nodes with a slow clock do not find half of its data. */
  async #end({ id, gen, expiresAt }: Head, now: number): Promise<boolean> {
    const change = new Change()
      .when('gen', '=', text(gen))
      .whenAbsent('endedAt')
      .when('expiresAt', '<=', number(now))
      .set('endedAt', number(expiresAt))
      .set('purgeAt', number(0))
      .remove('principal')
      .remove('listKind')
      .remove('listOwner');
    return (await this.#connection.update(this.#connection.tables.sessions, headKey(id), change)).done;
  }

  /**
   * Finds at most `limit` rows of a session besides its head. Events come first: they are the
   * largest and the most secret part.
   *
   * Beside another sweep's transaction, a query can wrongly find nothing, and no row may be left
   * when the head goes. So an empty answer counts only if the query has found the head, which is
   * among the rows, or if the event that is removed last does not exist.
   */
  async #rows(head: Head, limit: number): Promise<{ readonly found: readonly Row[]; readonly more: boolean }> {
    const { sessions, events } = this.#connection.tables;
    const found: Row[] = [];
    for (const table of [events, sessions]) {
      let start: Item | undefined;
      let scanned = 0;
      do {
        const page = await this.#connection.query({
          TableName: table,
          KeyConditionExpression: 'id = :id',
          ProjectionExpression: 'id, #item, #bytes',
          ExpressionAttributeNames: { '#item': 'item', '#bytes': 'bytes' },
          ExpressionAttributeValues: { ':id': text(head.id) },
          ScanIndexForward: table === sessions,
          // One more, because the head is among them.
          Limit: limit - found.length + 1,
          ExclusiveStartKey: start,
        });
        const rows = page.items.map((item) => ({ table, key: keyOf(item), bytes: weightOf(item) }));
        found.push(...rows.filter(({ key }) => key.item !== HEAD));
        if (found.length > limit) return { found: found.slice(0, limit), more: true };
        if (start !== undefined && page.scanned === 0) return { found, more: true };
        scanned += page.scanned;
        start = page.next;
      } while (start !== undefined);
      if (scanned === 0 && (table === sessions || (await this.#hasEvents(head)))) return { found, more: true };
    }
    return { found, more: false };
  }

  /** True if the event that is removed last still exists. */
  async #hasEvents({ id, lastSeq, trimmedSeq }: Head): Promise<boolean> {
    if (lastSeq === trimmedSeq) return false;
    return (await this.#connection.get(this.#connection.tables.events, eventKey(id, trimmedSeq + 1))) !== undefined;
  }

  /** Removes a due item whose session another sweep has removed. */
  async #dropDue(due: ItemKey, id: string): Promise<void> {
    const { sessions } = this.#connection.tables;
    await this.#connection.transactWrite([
      { ConditionCheck: new Change().whenAbsent('id').check(sessions, headKey(id)) },
      this.#deletion(due),
    ]);
  }

  async #move(due: ItemKey, id: string, at: number): Promise<void> {
    await this.#connection.transactWrite(this.#moving(due, id, at));
  }

  #moving(due: ItemKey, id: string, at: number): TransactWriteItem[] {
    const put = { Put: new Change().put(this.#connection.tables.sessions, dueItem(id, at)) };
    return dueKey(id, at).item === due.item ? [put] : [put, this.#deletion(due)];
  }

  #deletion(key: ItemKey): TransactWriteItem {
    return deletion({ table: this.#connection.tables.sessions, key });
  }
}
