import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { SweepResult } from '@mcp-session/core/backend';
import type { Connection } from './connection.ts';
import { Change, keyOf, number, text, type Item, type ItemKey } from './items.ts';
import {
  digits,
  dueKey,
  duePartition,
  DUE_SHARDS,
  eventKey,
  HEAD,
  headKey,
  isLive,
  parseDueKey,
  toHead,
  type Head,
} from './schema.ts';
import { deletion, inSteps, weightOf, type Row } from './sweep/removal.ts';
import { dueItem } from './sessions/record.ts';
import type { Upkeep } from './ttl-maintenance.ts';

/** Due items that are looked at together: with the heads of their sessions they fit in one request. */
const LOOK = 8;

/** Sessions that are swept at the same time: each takes a few requests, one after the other. */
const AT_ONCE = 8;

/** What came of one due item. */
interface Visit {
  readonly id: string;
  /** Rows that were looked at or removed. */
  readonly count: number;
  /** Whether nothing of it is left to do. */
  readonly whole: boolean;
  /** Whether the session's record is gone, by this sweep. */
  readonly gone: boolean;
  /** Whether another sweep has dealt with it meanwhile. */
  readonly overtaken: boolean;
}

/** Removes what is past its time. */
export class Sweep {
  readonly #connection: Connection;
  readonly #upkeep: Upkeep;

  constructor(connection: Connection, upkeep: Upkeep) {
    this.#connection = connection;
    this.#upkeep = upkeep;
  }

  // Sweeps of several nodes go over the same items and know nothing of each other. Each begins at a
  // random place, and looks right before it begins with some of the items which of them are still
  // there. One that meets another goes on at another random place, or they would go side by side
  // from there on, twice over the same items.
  async step(limit: number, now: number): Promise<SweepResult> {
    const ids: string[] = [];
    const { due, more } = await this.#due(limit, now);
    const parts = Array.from({ length: Math.ceil(due.length / LOOK) }, (_, n) => due.slice(n * LOOK, (n + 1) * LOOK));
    let left = limit;
    let done = !more;
    let at = 0;
    while (parts.length > 0) {
      if (left <= 0) return { ids, done: false };
      const part = parts.splice(at % parts.length, 1).flat();
      const { hints, heads } = await this.#look(part);
      let met = hints.length < part.length;
      for (let next = 0; next < hints.length;) {
        if (left <= 0) return { ids, done: false };
        const some = hints.slice(next, next + Math.min(AT_ONCE, left));
        next += some.length;
        // What is left is shared among them, so that they do not remove more together than one alone.
        const share = Math.floor(left / some.length);
        const visits = await Promise.allSettled(some.map((hint) => this.#visit(hint, heads, share, now)));
        for (const visit of visits) {
          // Only when all have ended: none goes on behind the back of a call that has failed.
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

  async #visit(hint: ItemKey, heads: ReadonlyMap<string, Head>, limit: number, now: number): Promise<Visit> {
    const { id } = parseDueKey(hint);
    const head = heads.get(id);
    if (head !== undefined && !isLive(head, now)) return { id, ...(await this.#remove(head, hint, limit, now)) };
    if (head === undefined) {
      await this.#dropHint(hint, id);
      return { id, count: 1, whole: true, gone: false, overtaken: true };
    }
    const { count, whole } = await this.#upkeep.visit(head, limit, now);
    if (whole) await this.#move(hint, head.id, head.expiresAt);
    return { id, count: count + 1, whole, gone: false, overtaken: false };
  }

  /** Due items whose time has come, from a random one on. Without them, it is one request for each shard. */
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

  /** Those of the items that no other sweep has dealt with meanwhile, and the heads of their sessions. */
  async #look(due: readonly ItemKey[]) {
    const ids = new Set(due.map((key) => parseDueKey(key).id));
    const items = await this.#connection.batchGet({ sessions: [...due, ...[...ids].map(headKey)] });
    const heads = items.filter((item) => keyOf(item).item === HEAD);
    const left = new Set(items.map((item) => keyOf(item).item));
    return {
      hints: due.filter(({ item }) => left.has(item)),
      heads: new Map(heads.map((item) => [keyOf(item).id, toHead(item)])),
    };
  }

  /** Removes up to `limit` rows of a session that is over, and its head when none is left and its time has come. */
  async #remove(head: Head, hint: ItemKey, limit: number, now: number) {
    if (head.endedAt === undefined && !(await this.#markOver(head, now)))
      return { count: 1, whole: false, gone: false, overtaken: true };
    const rows = await this.#rows(head, limit);
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
    if (last === undefined) return { count, whole: false, gone: false, overtaken: false };
    const gone = head.purgeAt <= now;
    const final = gone
      ? [{ Delete: guard.delete(this.#connection.tables.sessions, headKey(head.id)) }, this.#deletion(hint)]
      : [
          { ConditionCheck: guard.check(this.#connection.tables.sessions, headKey(head.id)) },
          ...this.#moving(hint, head.id, head.purgeAt),
        ];
    const reasons = await this.#connection.transactWrite([...final, ...last.map(deletion)]);
    const overtaken = reasons !== undefined;
    if (overtaken) await this.#dropHint(hint, head.id);
    return { count, whole: true, gone: gone && !overtaken, overtaken };
  }

  /** From here on it is over for nodes, too, whose clocks are behind: they must not find a session with half of its data. */
  async #markOver({ id, gen, expiresAt }: Head, now: number): Promise<boolean> {
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
   * Rows of a session besides its head, at most so many. Events first: they are the greater part of what is stored, and the secret part.
   *
   * A query beside another sweep's transaction is said to have come back empty although there was something, and nothing may be left when the head goes. So the head
   * itself, which is among the rows, and the event that is removed last show whether an answer was one.
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
          // One more, for the head is among them.
          Limit: limit - found.length + 1,
          ...(start !== undefined && { ExclusiveStartKey: start }),
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

  /** Whether the event is there that goes last. */
  async #hasEvents({ id, lastSeq, trimmedSeq }: Head): Promise<boolean> {
    if (lastSeq === trimmedSeq) return false;
    return (await this.#connection.get(this.#connection.tables.events, eventKey(id, trimmedSeq + 1))) !== undefined;
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
