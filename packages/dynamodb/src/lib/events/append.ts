import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { SessionError } from '@mcp-session/core';
import type { AppendOutcome, AppendRequest, AppendResult } from '@mcp-session/core/backend';
import { lost, type Connection } from '../connection.ts';
import { Change, number, readNumber, split, text, type Item } from '../items.ts';
import {
  dataTtl,
  EVENT_PART_BYTES,
  eventKey,
  headKey,
  isLive,
  streamSeq,
  toHead,
  tokenKey,
  type Head,
} from '../schema.ts';
import type { Memory } from '../head-cache.ts';
import { failed, isLiveItem, live, renew, type Sessions } from '../sessions/record.ts';
import type { Turns } from '../turns.ts';

/** The appends to sessions' logs. */
export class Events {
  readonly #connection: Connection;
  readonly #memory: Memory;
  readonly #turns: Turns;
  readonly #sessions: Sessions;

  constructor(connection: Connection, memory: Memory, turns: Turns, sessions: Sessions) {
    this.#connection = connection;
    this.#memory = memory;
    this.#turns = turns;
    this.#sessions = sessions;
  }

  // One transaction a session: all of them in one would let a dead session fail the others, and hold only 100 items together.
  async append(batch: readonly AppendRequest[], now: number): Promise<readonly AppendOutcome[]> {
    const [first] = batch;
    if (batch.length === 1 && first !== undefined)
      return [await this.#turns.run(first.sessionId, () => this.#appendTo(first, now))];
    const outcomes = await Promise.allSettled(
      batch.map((request) => this.#turns.run(request.sessionId, () => this.#appendTo(request, now))),
    );
    return outcomes.map((outcome) => {
      if (outcome.status === 'fulfilled') return outcome.value;
      if (outcome.reason instanceof SessionError) return outcome.reason;
      throw outcome.reason;
    });
  }

  async #appendTo(request: AppendRequest, now: number): Promise<AppendResult | undefined> {
    const { sessionId, token, events, expiresAt } = request;
    const tables = this.#connection.tables;
    return this.#connection.untilWon(
      async () => {
        const known = this.#memory.live(sessionId, now) ?? (await this.#sessions.load(sessionId));
        if (known === undefined || !isLive(known.head, now)) return undefined;
        const { head } = known;
        const firstSeq = head.lastSeq + 1;
        const lastSeq = head.lastSeq + events.length;
        const logBytes = events.reduce((sum, event) => sum + event.bytes, head.logBytes);
        const ttl = number(dataTtl(Math.max(head.expiresAt, expiresAt ?? 0)));
        const change = live(head, now)
          .set('lastSeq', number(lastSeq))
          .set('logBytes', number(logBytes))
          .when('lastSeq', '=', number(head.lastSeq))
          // What the log weighs is known only as long as nobody has trimmed it.
          .when('trimmedSeq', '=', number(head.trimmedSeq));
        const settledSeq = Math.min(known.settled.through, head.lastSeq);
        if (settledSeq > head.settledSeq) change.set('settledSeq', number(settledSeq));
        renew(change, head, expiresAt, now);
        const remembered = new Change();
        remembered.whenTrue(
          `attribute_not_exists(${remembered.name('id')}) OR ${remembered.name('gen')} <> ${remembered.value(text(head.gen))}`,
        );
        const { id, item } = tokenKey(sessionId, token);
        const reasons = await this.#connection.transactWrite([
          { Update: change.update(tables.sessions, headKey(sessionId)) },
          {
            Put: remembered.put(tables.sessions, {
              id: text(id),
              item: text(item),
              gen: text(head.gen),
              firstSeq: number(firstSeq),
              lastSeq: number(lastSeq),
              ttl,
            }),
          },
          ...events.flatMap((event, index) => this.#puts(head, { ...event, seq: firstSeq + index }, now, ttl)),
        ]);
        if (reasons === undefined) {
          known.settled.add(firstSeq, lastSeq);
          this.#sessions.renewed(head, expiresAt, now, { lastSeq, logBytes, settledSeq });
          return { firstSeq, retainedEvents: lastSeq - head.trimmedSeq, retainedBytes: logBytes };
        }
        const [onHead, onToken] = reasons;
        if (failed(onHead)) {
          const present = this.#sessions.learnFrom(onHead);
          if (present === undefined) this.#memory.forget(sessionId);
          if (!isLiveItem(present, now)) return undefined;
          // A token of an earlier session of this id says nothing.
          if (toHead(present).gen !== head.gen) return lost;
        }
        return failed(onToken) ? this.#repeat(request, readNumber(onToken.Item ?? {}, 'firstSeq') ?? 0, now) : lost;
      },
      () => this.#sessions.load(sessionId),
    );
  }

  /** The answer to a request that was done before. It renews the session as the first time. */
  async #repeat(
    { sessionId, expiresAt }: AppendRequest,
    firstSeq: number,
    now: number,
  ): Promise<AppendResult | undefined> {
    const head =
      expiresAt === undefined
        ? (await this.#sessions.load(sessionId))?.head
        : await this.#sessions.touch(sessionId, expiresAt, now);
    if (head === undefined || !isLive(head, now)) return undefined;
    return { firstSeq, retainedEvents: head.lastSeq - head.trimmedSeq, retainedBytes: head.logBytes };
  }

  #puts(
    { id, gen }: Head,
    event: { readonly seq: number; readonly streamId: string; readonly message: string; readonly bytes: number },
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
