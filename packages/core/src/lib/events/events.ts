import { SessionError } from '../errors.ts';
import { formatEventId, parseEventId, sessionTag } from './event-id.ts';
import {
  checkAppend,
  checkReplay,
  checkTail,
  checkTrim,
  type AppendOptions,
  type ReplayOptions,
  type TailOptions,
  type TrimOptions,
} from './options.ts';
import { EventReplay } from './replay.ts';
import { EventTail } from './tail.ts';
import { checkIssued, cursorOf, PAGE_BYTES, readPages } from './read-pages.ts';
import { checkStreamId, utf8Bytes } from '../values/ids.ts';
import { decode, encodeMessage } from '../values/json.ts';
import { positive } from '../values/option-checks.ts';
import { TRIM_STEP } from '../append/retention.ts';
import type { EventRow } from '../contract/rows.ts';
import type { SessionContext } from '../session/context.ts';

/** An event of a session's log. */
export interface SessionEvent {
  /** The id that `append` returned: visible ASCII, unique in its session, and a cursor of its stream. */
  readonly id: string;
  /** Its number: 1 for the session's first event, whatever the stream, and one more for each that follows. */
  readonly seq: number;
  readonly streamId: string;
  /** The message as JSON holds it. */
  readonly message: unknown;
  /** Unix milliseconds. */
  readonly createdAt: number;
}

/**
 * The log of a session: messages on any number of streams, numbered through the session in the order of their commits.
 *
 * Every method throws a SessionError `SESSION_NOT_FOUND` when the session has expired or was ended, and `STORE_…` when the database fails.
 */
export class SessionEvents {
  readonly #session: SessionContext;
  #knownTag: string | undefined;

  /** @internal */
  constructor(session: SessionContext) {
    this.#session = session;
  }

  /**
   * Appends a message to a stream and resolves when it is committed. Calls of one process for one session keep their order.
   *
   * @param streamId 1 to 255 visible ASCII characters.
   * @param message Any JSON value, `{}` included; properties that are `undefined` are left out, as on the wire.
   * @returns The event's id.
   * @throws SessionError `NOT_JSON`, `INVALID_STREAM_ID`, `EVENT_TOO_LARGE`; nothing is written then.
   */
  async append(streamId: string, message: unknown, options?: AppendOptions): Promise<string> {
    const renew = checkAppend(options);
    checkStreamId(streamId);
    const text = encodeMessage(message);
    const bytes = utf8Bytes(text);
    const { backend, appends } = this.#session.shared;
    const { maxEventBytes } = backend.capabilities;
    if (bytes > maxEventBytes)
      throw new SessionError(
        'EVENT_TOO_LARGE',
        `Event of ${bytes} bytes exceeds the ${maxEventBytes} bytes that ${backend.name} accepts`,
      );
    const { id, now } = this.#session;
    const expiresAt = renew ? this.#session.expiryAt(now) : undefined;
    const seq = await appends.append(id, { streamId, message: text, bytes }, expiresAt);
    if (renew) this.#session.renewed(now);
    return formatEventId(this.#tag, { seq, streamId });
  }

  /**
   * Gives what follows a cursor, oldest first and complete over any number of pages, up to the newest event at the start of the replay.
   *
   * @throws EventsTrimmedError `EVENTS_TRIMMED` where some of it was trimmed: never a part as if it were all.
   * @throws SessionError `INVALID_CURSOR` where the id was never issued for this session and stream.
   */
  replay(options: ReplayOptions = {}): AsyncGenerator<SessionEvent, void, undefined> {
    return new EventReplay(this.#pagesUntilNow(checkReplay(options)), (row) => this.#event(row));
  }

  /**
   * Gives what follows a cursor and then what is appended, by any process, with no gap and nothing twice. The reader sets the pace: the next page is read when
   * the last one is used up. It ends when the session ends or expires, the signal is aborted or the store is closed. Waiting does not renew the session.
   *
   * @throws EventsTrimmedError `EVENTS_TRIMMED` also later, where the reader has fallen behind the retention.
   * @throws SessionError `INVALID_CURSOR` where the id was never issued for this session and stream.
   */
  tail(options: TailOptions = {}): AsyncGenerator<SessionEvent, void, undefined> {
    return new EventTail(this.#session, this.#tag, checkTail(options), (row) => this.#event(row));
  }

  /**
   * The newest events, oldest of them first.
   *
   * @param limit How many at the most, 1 to 1,000. Default: 100. Fewer are given where they exceed 1 MiB.
   * @param streamId Only of this stream. Default: of the whole log.
   */
  async recent(limit: number = 100, streamId?: string): Promise<SessionEvent[]> {
    positive('limit', limit, 100, 1_000);
    const query = {
      sessionId: this.#session.id,
      streamId: streamId === undefined ? undefined : checkStreamId(streamId),
      afterSeq: undefined,
      limit,
      maxBytes: PAGE_BYTES,
    };
    this.#session.shared.operations.checkOpen();
    const page = this.#session.alive(
      await this.#session.read('readEvents', (backend, now) => backend.readEvents(query, now)),
    );
    return page.events.map((row) => this.#event(row));
  }

  /**
   * Removes the oldest events of the log. Numbers are not used again, and readers whose cursor is older than what was removed of their stream learn of it.
   *
   * @returns How many were removed.
   * @throws SessionError `INVALID_CURSOR` for a `through` that was never issued for this session.
   */
  async trim(options: TrimOptions): Promise<number> {
    const { maxEvents, maxBytes, maxAgeMs, through } = checkTrim(options);
    const cursor = through === undefined ? undefined : cursorOf(this.#tag, through, undefined);
    const { now } = this.#session;
    const bound = {
      maxEvents,
      maxBytes,
      createdBefore: maxAgeMs === undefined ? undefined : now - maxAgeMs,
      throughSeq: cursor?.seq,
      limit: TRIM_STEP,
    };
    const { operations } = this.#session.shared;
    return operations.run(async () => {
      if (cursor !== undefined) await checkIssued(this.#session, cursor, through);
      for (let removed = 0; ;) {
        const startedAt = performance.now();
        const step = this.#session.alive(
          await this.#session.read('trimEvents', (backend, at) => backend.trimEvents(this.#session.id, bound, at)),
        );
        removed += step;
        if (step < TRIM_STEP) return removed;
        await operations.rests.after(startedAt);
      }
    });
  }

  /**
   * Whether an event id is one of this session, and of which stream, without a look at the store.
   *
   * @returns `undefined` where it was not issued for this session.
   */
  streamOf(eventId: string): string | undefined {
    return parseEventId(this.#tag, eventId)?.streamId;
  }

  /** Made when it is needed: a handle that is only looked at is made for every request over HTTP. */
  get #tag(): string {
    this.#knownTag ??= sessionTag(this.#session.id);
    return this.#knownTag;
  }

  async *#pagesUntilNow(options: ReplayOptions): AsyncGenerator<readonly EventRow[], void, undefined> {
    let until: number | undefined;
    for await (const { events, more, lastSeq } of readPages(this.#session, this.#tag, options, false)) {
      const last = (until ??= lastSeq);
      const end = events.at(-1)?.seq ?? 0;
      yield end > last ? events.filter(({ seq }) => seq <= last) : events;
      if (!more || end >= last) return;
    }
  }

  #event({ seq, streamId, message, createdAt }: EventRow): SessionEvent {
    return {
      id: formatEventId(this.#tag, { seq, streamId }),
      seq,
      streamId,
      message: decode(message, 'event'),
      createdAt,
    };
  }
}
