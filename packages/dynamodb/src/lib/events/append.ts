import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { SessionError } from '@mcp-session/core';
import type { AppendOutcome, AppendRequest, AppendResult, KeyedLock, NewEvent } from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import type { HeadCache } from '../head-cache.ts';
import { isLive, toHead, type Head } from '../head.ts';
import { Change, number, readNumber, split, text, type Item } from '../items.ts';
import { CONFLICT } from '../retries.ts';
import { dataTtl, EVENT_PART_BYTES, eventKey, headKey, streamSeq, tokenKey } from '../schema.ts';
import type { SessionRecords } from '../sessions/record.ts';
import { applyRenewal, conditionFailed, isLiveItem, renew, whileLive } from '../sessions/renewal.ts';

/** Appends events to the logs of sessions. */
export class EventAppender {
  readonly #connection: Connection;
  readonly #cache: HeadCache;
  readonly #lock: KeyedLock;
  readonly #records: SessionRecords;

  constructor(connection: Connection, cache: HeadCache, lock: KeyedLock, records: SessionRecords) {
    this.#connection = connection;
    this.#cache = cache;
    this.#lock = lock;
    this.#records = records;
  }

  // One transaction per session. In a shared one, a dead session would fail the others, and
  // together they could have only 100 items.
  async append(batch: readonly AppendRequest[], now: number): Promise<readonly AppendOutcome[]> {
    const [first] = batch;
    if (batch.length === 1 && first !== undefined) return [await this.#appendLocked(first, now)];
    const outcomes = await Promise.allSettled(batch.map((request) => this.#appendLocked(request, now)));
    return outcomes.map((outcome) => {
      if (outcome.status === 'fulfilled') return outcome.value;
      if (outcome.reason instanceof SessionError) return outcome.reason;
      throw outcome.reason;
    });
  }

  /** Appends of this process to one session take turns, because they would only conflict. */
  #appendLocked(request: AppendRequest, now: number): Promise<AppendResult | undefined> {
    const { sessionId } = request;
    return this.#lock.run(sessionId, () =>
      this.#connection.retries.onConflict(
        () => this.#appendOnce(request, now),
        () => this.#cache.load(sessionId),
      ),
    );
  }

  async #appendOnce(request: AppendRequest, now: number): Promise<AppendResult | undefined | typeof CONFLICT> {
    const { sessionId, token, events, expiresAt } = request;
    const known = this.#cache.findLive(sessionId, now) ?? (await this.#cache.load(sessionId));
    if (known === undefined || !isLive(known.head, now)) return undefined;
    const { head } = known;
    const firstSeq = head.lastSeq + 1;
    const lastSeq = head.lastSeq + events.length;
    const logBytes = events.reduce((sum, event) => sum + event.bytes, head.logBytes);
    const settledSeq = Math.max(head.settledSeq, Math.min(known.settled.through, head.lastSeq));
    const ttl = number(dataTtl(Math.max(head.expiresAt, expiresAt ?? 0)));
    const counters = { lastSeq, logBytes, settledSeq };
    const reasons = await this.#connection.transactWrite([
      { Update: this.#headUpdate(head, counters, expiresAt, now) },
      { Put: this.#tokenPut(head, token, { firstSeq, lastSeq }, ttl) },
      ...events.flatMap((event, index) => this.#eventPuts(head, { ...event, seq: firstSeq + index }, now, ttl)),
    ]);
    if (reasons === undefined) {
      known.settled.add(firstSeq, lastSeq);
      this.#cache.learn(applyRenewal(head, expiresAt, now, counters));
      return { firstSeq, retainedEvents: lastSeq - head.trimmedSeq, retainedBytes: logBytes };
    }
    const [onHead, onToken] = reasons;
    if (conditionFailed(onHead)) {
      const present = this.#cache.learnFrom(onHead);
      if (present === undefined) this.#cache.forget(sessionId);
      if (!isLiveItem(present, now)) return undefined;
      // The id was used again since the head was cached. A token found here is the earlier
      // session's.
      if (toHead(present).gen !== head.gen) return CONFLICT;
    }
    if (!conditionFailed(onToken)) return CONFLICT;
    return this.#repeat(request, readNumber(onToken.Item ?? {}, 'firstSeq') ?? 0, now);
  }

  /** Answers a retry of a request that was done. Like the first attempt, it renews the session. */
  async #repeat(
    { sessionId, expiresAt }: AppendRequest,
    firstSeq: number,
    now: number,
  ): Promise<AppendResult | undefined> {
    const head =
      expiresAt === undefined
        ? (await this.#cache.load(sessionId))?.head
        : await this.#records.touch(sessionId, expiresAt, now);
    if (head === undefined || !isLive(head, now)) return undefined;
    return { firstSeq, retainedEvents: head.lastSeq - head.trimmedSeq, retainedBytes: head.logBytes };
  }

  #headUpdate(
    head: Head,
    { lastSeq, logBytes, settledSeq }: Pick<Head, 'lastSeq' | 'logBytes' | 'settledSeq'>,
    expiresAt: number | undefined,
    now: number,
  ) {
    const change = whileLive(head, now)
      .set('lastSeq', number(lastSeq))
      .set('logBytes', number(logBytes))
      .when('lastSeq', '=', number(head.lastSeq))
      // The known size of the log is right only as long as nobody has trimmed it.
      .when('trimmedSeq', '=', number(head.trimmedSeq));
    if (settledSeq > head.settledSeq) change.set('settledSeq', number(settledSeq));
    renew(change, head, expiresAt, now);
    return change.update(this.#connection.tables.sessions, headKey(head.id));
  }

  #tokenPut(
    { id: sessionId, gen }: Head,
    token: string,
    seqs: { readonly firstSeq: number; readonly lastSeq: number },
    ttl: Item[string],
  ) {
    const change = new Change();
    change.whenTrue(
      `attribute_not_exists(${change.name('id')}) OR ${change.name('gen')} <> ${change.value(text(gen))}`,
    );
    const { id, item } = tokenKey(sessionId, token);
    return change.put(this.#connection.tables.sessions, {
      id: text(id),
      item: text(item),
      gen: text(gen),
      firstSeq: number(seqs.firstSeq),
      lastSeq: number(seqs.lastSeq),
      ttl,
    });
  }

  #eventPuts(
    { id, gen }: Head,
    event: NewEvent & { readonly seq: number },
    now: number,
    ttl: Item[string],
  ): TransactWriteItem[] {
    const parts = split(event.message, EVENT_PART_BYTES);
    return parts.map((message, part) => ({
      Put: new Change().put(this.#connection.tables.events, {
        id: text(id),
        item: text(eventKey(id, event.seq, part).item),
        streamSeq: text(streamSeq(event.streamId, event.seq, part)),
        gen: text(gen),
        message: text(message),
        ...(part === 0 && { createdAt: number(now), bytes: number(event.bytes), parts: number(parts.length) }),
        ttl,
      }),
    }));
  }
}
