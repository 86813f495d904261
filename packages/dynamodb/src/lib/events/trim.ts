import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import {
  exceeds,
  FORGET_EVERY,
  passes,
  REMEMBERED_TOKENS,
  REMEMBERED_TRIMS,
  type KeyedLock,
  type TrimBound,
} from '@mcp-session/core/backend';
import type { Background } from '../background.ts';
import type { Connection } from '../connection.ts';
import type { HeadCache } from '../head-cache.ts';
import { isLive, type Head } from '../head.ts';
import { Change, keyOf, number, readNumber, text, type Item } from '../items.ts';
import { CONFLICT } from '../retries.ts';
import { digits, eventKey, headKey, MAX_TRANSACTION_ITEMS, STREAM_INDEX, trimKey, TRIMS } from '../schema.ts';
import { whileLive } from '../sessions/renewal.ts';
import { isGone } from './gaps.ts';
import { oldestFacts, type EventFacts } from './log.ts';

/**
 * Maximum bytes of messages that one transaction removes. It may have 4 MB, perhaps with the index
 * copies.
 */
const MAX_STEP_BYTES = 1_500_000;

/** Trims the logs of sessions. */
export class EventTrimmer {
  readonly #connection: Connection;
  readonly #lock: KeyedLock;
  readonly #cache: HeadCache;
  readonly #background: Background;

  constructor(connection: Connection, cache: HeadCache, lock: KeyedLock, background: Background) {
    this.#connection = connection;
    this.#lock = lock;
    this.#cache = cache;
    this.#background = background;
  }

  // Each step takes as many events as one transaction removes, and first stores the trim. Readers
  // see the parts of a transaction one after another, and must not miss an event before they can
  // see its trim. If the process dies in between, the next trim removes the events.
  async trim(sessionId: string, bound: TrimBound, now: number): Promise<number | undefined> {
    let removed = 0;
    return this.#lock.run(sessionId, () =>
      this.#connection.retries.onConflict(async () => {
        const before = (await this.#cache.load(sessionId))?.head;
        if (before === undefined || !isLive(before, now)) return undefined;
        const trimmed = await this.#trimFrom(before, bound, bound.limit - removed, now);
        removed += trimmed.count;
        const after = trimmed.head;
        if (passes(FORGET_EVERY, before.trimmedSeq, after.trimmedSeq)) {
          this.#background.add(`forget ${sessionId}`, () => this.#forget(after, now));
        }
        return trimmed.whole ? removed : CONFLICT;
      }),
    );
  }

  /** Trims step by step. `whole` is false if another process interfered. */
  async #trimFrom(head: Head, bound: TrimBound, limit: number, now: number): Promise<Trimmed> {
    let step = new Step(this.#connection.tables.events, head);
    let count = 0;
    let next = head.trimmedSeq + 1;
    for await (const page of oldestFacts(this.#connection, head.id)) {
      for (const event of page) {
        const isEnough = event.seq >= next && (count + step.count === limit || !exceeds(bound, event, step.left));
        if (isEnough) return this.#finish(step, count, true, now);
        if (event.seq > next && !(await isGone(this.#connection, head, event.seq - 1))) {
          return this.#finish(step, count, false, now);
        }
        if (!step.hasRoomFor(event)) {
          if (!(await this.#commit(step, now))) return { head: step.before, count, whole: false };
          count += step.count;
          step = new Step(this.#connection.tables.events, step.after);
        }
        step.add(event);
        next = Math.max(next, event.seq + 1);
      }
    }
    const allSeen = next > head.lastSeq || (await isGone(this.#connection, head, head.lastSeq));
    return this.#finish(step, count, allSeen, now);
  }

  async #finish(step: Step, count: number, whole: boolean, now: number): Promise<Trimmed> {
    if (!(await this.#commit(step, now))) return { head: step.before, count, whole: false };
    return { head: step.after, count: count + step.count, whole };
  }

  /** @returns False if another process was faster. */
  async #commit({ before, after, trims, deletes }: Step, now: number): Promise<boolean> {
    const { sessions } = this.#connection.tables;
    const change = whileLive(before, now)
      .set('trimmedSeq', number(after.trimmedSeq))
      // A difference, because others may append meanwhile.
      .add('logBytes', after.logBytes - before.logBytes)
      .when('trimmedSeq', '=', number(before.trimmedSeq));
    if (trims.length > 0) {
      const update = { Update: change.update(sessions, headKey(before.id)) };
      if ((await this.#connection.transactWrite([update, ...trims])) !== undefined) return false;
      this.#cache.learn(after);
    }
    const same = new Change().when('gen', '=', text(before.gen)).check(sessions, headKey(before.id));
    if (deletes.length > 0) await this.#connection.transactWrite([{ ConditionCheck: same }, ...deletes]);
    return true;
  }

  /** Forgets the trims of the least recently trimmed streams, and the tokens of old events. */
  async #forget(head: Head, now: number): Promise<void> {
    await this.#forgetTokens(head);
    const { tables } = this.#connection;
    let kept = 0;
    let forgottenSeq: number | undefined;
    const pages = this.#connection.pages({
      TableName: tables.events,
      IndexName: STREAM_INDEX,
      KeyConditionExpression: 'id = :id and begins_with(streamSeq, :trims)',
      ExpressionAttributeValues: { ':id': text(head.id), ':trims': text(`${TRIMS}\0`) },
      ScanIndexForward: false,
    });
    for await (const page of pages) {
      const old = page.items.slice(Math.max(0, REMEMBERED_TRIMS - kept));
      kept += page.items.length;
      if (old.length === 0) continue;
      if (forgottenSeq === undefined) {
        forgottenSeq = readNumber(old[0] ?? {}, 'seq') ?? 0;
        // Stored first, because readers that find no trim of their stream use this number.
        const change = whileLive(head, now)
          .set('forgottenSeq', number(forgottenSeq))
          .when('forgottenSeq', '<=', number(forgottenSeq));
        const written = await this.#connection.update(tables.sessions, headKey(head.id), change);
        if (!written.done) return;
      }
      await this.#removeTrims(old, forgottenSeq);
    }
  }

  async #removeTrims(old: readonly Item[], forgottenSeq: number): Promise<void> {
    for (let from = 0; from < old.length; from += MAX_TRANSACTION_ITEMS) {
      // If a stream was trimmed again meanwhile, its trim stays, and the others of its step go next
      // time.
      await this.#connection.transactWrite(
        old.slice(from, from + MAX_TRANSACTION_ITEMS).map((item) => ({
          Delete: new Change()
            .when('seq', '<=', number(forgottenSeq))
            .delete(this.#connection.tables.events, keyOf(item)),
        })),
      );
    }
  }

  async #forgetTokens({ id, lastSeq }: Head): Promise<void> {
    const pages = this.#connection.pages({
      TableName: this.#connection.tables.sessions,
      KeyConditionExpression: 'id = :id and begins_with(#item, :tokens)',
      FilterExpression: 'lastSeq <= :old',
      ProjectionExpression: 'id, #item',
      ExpressionAttributeNames: { '#item': 'item' },
      ExpressionAttributeValues: {
        ':id': text(id),
        ':tokens': text('token#'),
        ':old': number(lastSeq - REMEMBERED_TOKENS),
      },
    });
    for await (const page of pages) {
      // A token is random and never written again, so deleting it twice is harmless.
      await this.#connection.batchDelete(this.#connection.tables.sessions, page.items.map(keyOf));
    }
  }
}

interface Trimmed {
  readonly head: Head;
  readonly count: number;
  readonly whole: boolean;
}

/** The events that one transaction removes. */
class Step {
  readonly before: Head;
  after: Head;
  count = 0;
  readonly #table: string;
  readonly deletes: TransactWriteItem[] = [];
  readonly #trims = new Map<string, TransactWriteItem>();
  #bytes = 0;
  #trimmedBytes = 0;

  constructor(table: string, before: Head) {
    this.#table = table;
    this.before = before;
    this.after = before;
  }

  /** The trim of each stream. */
  get trims(): TransactWriteItem[] {
    return [...this.#trims.values()];
  }

  /** What the log has left after this step. */
  get left(): { readonly events: number; readonly bytes: number } {
    const { lastSeq, trimmedSeq, logBytes } = this.after;
    return { events: lastSeq - trimmedSeq, bytes: logBytes };
  }

  /** True if the step has room for the event: for its parts, its stream and the head. */
  hasRoomFor({ partCount, bytes }: EventFacts): boolean {
    const items = this.deletes.length + partCount + 1;
    return this.deletes.length === 0 || (items <= MAX_TRANSACTION_ITEMS && this.#bytes + bytes <= MAX_STEP_BYTES);
  }

  add({ seq, streamId, bytes, partCount }: EventFacts): void {
    const { id, gen, dataTtl: ttl, logBytes } = this.before;
    for (let part = 0; part < partCount; part++) {
      this.deletes.push({ Delete: new Change().delete(this.#table, eventKey(id, seq, part)) });
    }
    this.#bytes += bytes;
    // Trimmed before, by a process that died before it removed the event.
    if (seq <= this.before.trimmedSeq) return;
    this.#trims.set(streamId, {
      Put: new Change().put(this.#table, {
        id: text(id),
        item: text(trimKey(id, streamId).item),
        streamSeq: text(`${TRIMS}\0${digits(seq)}`),
        seq: number(seq),
        gen: text(gen),
        ttl: number(ttl),
      }),
    });
    this.count++;
    this.#trimmedBytes += bytes;
    this.after = { ...this.before, trimmedSeq: seq, logBytes: logBytes - this.#trimmedBytes };
  }
}
