import type { SessionEvent, SessionEventPage, SessionEvents } from '../api/session-events.ts';
import { SessionError } from '../errors.ts';
import { formatEventId, parseEventId, sessionTag } from './event-id.ts';
import {
  checkAppend,
  checkPage,
  checkReplay,
  checkTail,
  checkTrim,
  type AppendOptions,
  type EventPageOptions,
  type ReplayOptions,
  type TailOptions,
  type TrimOptions,
} from '../options/event-options.ts';
import { EventTail } from './tail.ts';
import { checkIssued, cursorOf, PAGE_BYTES, readPages } from './read-pages.ts';
import { checkStreamId, utf8Bytes } from '../values/ids.ts';
import { decode, encodeMessage } from '../values/json.ts';
import { positive } from '../values/option-checks.ts';
import { TRIM_STEP } from '../append/retention.ts';
import type { EventRow } from '../contract/rows.ts';
import type { SessionContext } from '../session/context.ts';

/** The log of one session, as its users see it. */
export class EventsHandle implements SessionEvents {
  readonly #session: SessionContext;
  #knownTag: string | undefined;

  constructor(session: SessionContext) {
    this.#session = session;
  }

  async append(streamId: string, message: unknown, options?: AppendOptions): Promise<string> {
    const renew = checkAppend(options);
    checkStreamId(streamId);
    const text = encodeMessage(message);
    const bytes = utf8Bytes(text);
    const { backend, appends } = this.#session.shared;
    const { maxEventBytes } = backend.capabilities;
    if (bytes > maxEventBytes) {
      throw new SessionError(
        'EVENT_TOO_LARGE',
        `Event of ${bytes} bytes exceeds the ${maxEventBytes} bytes that ${backend.name} accepts`,
      );
    }
    const { id, now } = this.#session;
    const expiresAt = renew ? this.#session.renewalAt(now) : undefined;
    const seq = await appends.append(id, { streamId, message: text, bytes }, expiresAt);
    if (renew) this.#session.noteWrite(now);
    return formatEventId(this.#tag, { seq, streamId });
  }

  replay(options: ReplayOptions = {}): AsyncGenerator<SessionEvent, void, undefined> {
    return this.#replay(checkReplay(options));
  }

  tail(options: TailOptions = {}): AsyncGenerator<SessionEvent, void, undefined> {
    return new EventTail(this.#session, this.#tag, checkTail(options), (row) => this.#event(row));
  }

  async recent(limit: number = 100, streamId?: string): Promise<SessionEvent[]> {
    positive('limit', limit, 100, 1_000);
    const query = {
      sessionId: this.#session.id,
      streamId: streamId === undefined ? undefined : checkStreamId(streamId),
      afterSeq: undefined,
      limit,
      maxBytes: PAGE_BYTES,
    };
    const page = this.#session.alive(
      await this.#session.callAndTouch((backend, now) => backend.readEvents(query, now)),
    );
    return page.events.map((row) => this.#event(row));
  }

  async page(options: EventPageOptions = {}): Promise<SessionEventPage> {
    const query = { ...checkPage(options), sessionId: this.#session.id, maxBytes: PAGE_BYTES };
    const page = this.#session.alive(
      await this.#session.callAndTouch((backend, now) => backend.readEvents(query, now)),
    );
    const { events, more, lastSeq, trimmedSeq } = page;
    return { events: events.map((row) => this.#event(row)), more, lastSeq, trimmedSeq };
  }

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
    const { backend, gate, rests } = this.#session.shared;
    return gate.run(async () => {
      if (cursor !== undefined) await checkIssued(this.#session, cursor, through, backend.begun);
      let removed = 0;
      for (;;) {
        const startedAt = performance.now();
        const step = this.#session.alive(
          await this.#session.callAndTouch((begun, at) => begun.trimEvents(this.#session.id, bound, at), backend.begun),
        );
        removed += step;
        if (step < TRIM_STEP) return removed;
        await rests.after(startedAt);
      }
    });
  }

  streamOf(eventId: string): string | undefined {
    return parseEventId(this.#tag, eventId)?.streamId;
  }

  /** Computed on first use: every HTTP request makes a handle, and few need the tag. */
  get #tag(): string {
    this.#knownTag ??= sessionTag(this.#session.id);
    return this.#knownTag;
  }

  async *#replay(options: ReplayOptions): AsyncGenerator<SessionEvent, void, undefined> {
    let endSeq: number | undefined;
    for await (const { events, more, lastSeq } of readPages(this.#session, this.#tag, options, false)) {
      endSeq ??= lastSeq;
      for (const row of events) {
        if (row.seq > endSeq) return;
        yield this.#event(row);
      }
      if (!more) return;
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
