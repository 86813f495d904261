import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { TrimBound } from '@mcp-session/core/backend';
import type { Background } from '../background.ts';
import { lost, type Connection } from '../connection.ts';
import { Change, keyOf, number, readNumber, text, type Item } from '../items.ts';
import {
  digits,
  eventKey,
  headKey,
  isLive,
  MAX_TRANSACTION_ITEMS,
  STREAM_INDEX,
  trimKey,
  TRIMS,
  type Head,
} from '../schema.ts';
import { isGone } from './gaps.ts';
import { oldestFacts, type EventFacts } from './log.ts';
import { live, type Sessions } from '../sessions/record.ts';
import type { Turns } from '../turns.ts';

/** Streams of a session whose trims are remembered at least. */
const REMEMBERED_STREAMS = 10_000;
/** Tokens are remembered while their events are among so many newest of the session. */
const REMEMBERED_EVENTS = 1_000;
/** How many events are trimmed between two looks at what can be forgotten. */
const FORGET_EVERY = 1_000;
/** Bytes of messages that one transaction removes: it may hold 4 MB, perhaps with the copies in the index. */
const MAX_STEP_BYTES = 1_500_000;

/** Trims sessions' logs. */
export class Trims {
  readonly #connection: Connection;
  readonly #turns: Turns;
  readonly #sessions: Sessions;
  readonly #background: Background;

  constructor(connection: Connection, turns: Turns, sessions: Sessions, background: Background) {
    this.#connection = connection;
    this.#turns = turns;
    this.#sessions = sessions;
    this.#background = background;
  }

  // In steps of as many events as one transaction holds. What is trimmed is first noted and then removed: readers see the parts of a transaction one after another, and
  // must not miss an event before they can see that it was trimmed. What a process leaves that dies in between, the next trim removes.
  async trim(sessionId: string, bound: TrimBound, now: number): Promise<number | undefined> {
    let removed = 0;
    return this.#turns.run(sessionId, () =>
      this.#connection.untilWon(async () => {
        const before = (await this.#sessions.load(sessionId))?.head;
        if (before === undefined || !isLive(before, now)) return undefined;
        const trimmed = await this.#trimFrom(before, bound, bound.limit - removed, now);
        removed += trimmed.count;
        const after = trimmed.head;
        if (Math.floor(after.trimmedSeq / FORGET_EVERY) > Math.floor(before.trimmedSeq / FORGET_EVERY))
          this.#background.add(`forget ${sessionId}`, () => this.#forget(after, now));
        return trimmed.whole ? removed : lost;
      }),
    );
  }

  /** Trims step by step. `whole` is false where another process came in between. */
  async #trimFrom(head: Head, bound: TrimBound, limit: number, now: number): Promise<Trimmed> {
    let step = new Step(this.#connection.tables.events, head);
    let count = 0;
    let next = head.trimmedSeq + 1;
    for await (const page of oldestFacts(this.#connection, head.id)) {
      for (const event of page) {
        const over = event.seq >= next && (count + step.count === limit || !exceeds(bound, event, step.after));
        if (over) return this.#finish(step, count, true, now);
        if (event.seq > next && !(await isGone(this.#connection, head, event.seq - 1)))
          return this.#finish(step, count, false, now);
        if (!step.holds(event)) {
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

  /** @returns Whether no other process was faster. */
  async #commit({ before, after, trims, deletes }: Step, now: number): Promise<boolean> {
    const { sessions } = this.#connection.tables;
    const change = live(before, now)
      .set('trimmedSeq', number(after.trimmedSeq))
      // Appends go on meanwhile, so this is a difference.
      .add('logBytes', after.logBytes - before.logBytes)
      .when('trimmedSeq', '=', number(before.trimmedSeq));
    if (trims.length > 0) {
      const update = { Update: change.update(sessions, headKey(before.id)) };
      if ((await this.#connection.transactWrite([update, ...trims])) !== undefined) return false;
      this.#sessions.renewed(after, undefined, now);
    }
    const same = new Change().when('gen', '=', text(before.gen)).check(sessions, headKey(before.id));
    if (deletes.length > 0) await this.#connection.transactWrite([{ ConditionCheck: same }, ...deletes]);
    return true;
  }

  /** Forgets the trims of the streams that were trimmed longest ago, and the tokens of old events. */
  async #forget(head: Head, now: number): Promise<void> {
    await this.#forgetTokens(head);
    const { tables } = this.#connection;
    let kept = 0;
    let start: Item | undefined;
    let forgottenSeq: number | undefined;
    do {
      const page = await this.#connection.query({
        TableName: tables.events,
        IndexName: STREAM_INDEX,
        KeyConditionExpression: 'id = :id and begins_with(streamSeq, :trims)',
        ExpressionAttributeValues: { ':id': text(head.id), ':trims': text(`${TRIMS}\0`) },
        ScanIndexForward: false,
        ...(start !== undefined && { ExclusiveStartKey: start }),
      });
      const old = page.items.slice(Math.max(0, REMEMBERED_STREAMS - kept));
      kept += page.items.length;
      start = page.next;
      if (old.length === 0) continue;
      if (forgottenSeq === undefined) {
        forgottenSeq = readNumber(old[0] ?? {}, 'seq') ?? 0;
        // First of all: whoever misses a trim then goes by this number.
        const change = live(head, now)
          .set('forgottenSeq', number(forgottenSeq))
          .when('forgottenSeq', '<=', number(forgottenSeq));
        const written = await this.#connection.update(tables.sessions, headKey(head.id), change);
        if (!written.done) return;
      }
      await this.#removeTrims(old, forgottenSeq);
    } while (start !== undefined);
  }

  async #removeTrims(old: readonly Item[], forgottenSeq: number): Promise<void> {
    for (let from = 0; from < old.length; from += MAX_TRANSACTION_ITEMS) {
      // A stream that was trimmed again meanwhile is remembered, and the others of its step go the next time.
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
    let start: Item | undefined;
    do {
      const page = await this.#connection.query({
        TableName: this.#connection.tables.sessions,
        KeyConditionExpression: 'id = :id and begins_with(#item, :tokens)',
        FilterExpression: 'lastSeq <= :old',
        ProjectionExpression: 'id, #item',
        ExpressionAttributeNames: { '#item': 'item' },
        ExpressionAttributeValues: {
          ':id': text(id),
          ':tokens': text('token#'),
          ':old': number(lastSeq - REMEMBERED_EVENTS),
        },
        ...(start !== undefined && { ExclusiveStartKey: start }),
      });
      // A token is random and never written again, so that nothing can be lost by deleting it twice.
      await this.#connection.batchDelete(this.#connection.tables.sessions, page.items.map(keyOf));
      start = page.next;
    } while (start !== undefined);
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

  /** What is to be remembered of each stream. */
  get trims(): TransactWriteItem[] {
    return [...this.#trims.values()];
  }

  /** Whether there is room for one more event: for its parts, for its stream, and beside the head. */
  holds({ parts, bytes }: EventFacts): boolean {
    const items = this.deletes.length + parts + 1;
    return this.deletes.length === 0 || (items <= MAX_TRANSACTION_ITEMS && this.#bytes + bytes <= MAX_STEP_BYTES);
  }

  add({ seq, streamId, bytes, parts }: EventFacts): void {
    const { id, gen, dataTtl: ttl, logBytes } = this.before;
    for (let part = 0; part < parts; part++)
      this.deletes.push({ Delete: new Change().delete(this.#table, eventKey(id, seq, part)) });
    this.#bytes += bytes;
    // Trimmed before, by a process that died before it could remove it.
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

function exceeds(bound: TrimBound, oldest: EventFacts, { lastSeq, trimmedSeq, logBytes }: Head): boolean {
  return (
    (bound.maxEvents !== undefined && lastSeq - trimmedSeq > bound.maxEvents) ||
    (bound.maxBytes !== undefined && logBytes > bound.maxBytes) ||
    (bound.createdBefore !== undefined && oldest.createdAt < bound.createdBefore) ||
    (bound.throughSeq !== undefined && oldest.seq <= bound.throughSeq)
  );
}
