import type { AppendRequest, AppendResult, EventPage, EventQuery, EventRow } from '@mcp-session/core/backend';
import type { Connection, Statement } from '../connection.ts';
import { renewal, type Renewal } from '../sessions/renewal.ts';
import type { LiveSession, Sessions } from '../sessions/record.ts';

/** Tokens are remembered while their events are among so many newest of the session. */
const REMEMBERED_EVENTS = 1_000;

/** Appends to sessions' logs and reads them. */
export class Events {
  readonly #connection: Connection;
  readonly #sessions: Sessions;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection, sessions: Sessions) {
    this.#connection = connection;
    this.#sessions = sessions;
    this.#statements = prepare(connection);
  }

  // SQLite has no writing CTE, so several statements share one transaction. It holds the one write lock of the database, which makes the
  // order of the commits the order of the numbers, in every process.
  append(batch: readonly AppendRequest[], now: number): readonly (AppendResult | undefined)[] {
    return this.#connection.write(() => batch.map((request) => this.#appendTo(request, now)));
  }

  read(query: EventQuery, now: number): EventPage | undefined {
    return this.#connection.read(() => {
      const session = this.#sessions.live(query.sessionId, now);
      if (session === undefined) return undefined;
      const { pk, last_seq: lastSeq } = session;
      const cursor = this.#statements.streamOf.get({ pk, seq: query.afterSeq ?? 0 });
      const trimmedSeq = this.#trimmedSeq(session, query.streamId);
      return { ...this.#page(session, query), lastSeq, trimmedSeq, afterStreamId: cursor?.stream_id };
    });
  }

  #appendTo({ sessionId, token, events, expiresAt }: AppendRequest, now: number): AppendResult | undefined {
    const session = this.#sessions.live(sessionId, now);
    if (session === undefined) return undefined;
    const { pk, last_seq, trimmed_seq, log_bytes } = session;
    const known = this.#statements.findToken.get({ pk, token });
    if (known !== undefined) {
      this.#sessions.renew(pk, expiresAt, now);
      return { firstSeq: known.first_seq, retainedEvents: last_seq - trimmed_seq, retainedBytes: log_bytes };
    }

    const firstSeq = last_seq + 1;
    const lastSeq = last_seq + events.length;
    const bytes = events.reduce((sum, event) => sum + event.bytes, log_bytes);
    for (const [index, event] of events.entries()) {
      const { streamId, message } = event;
      this.#statements.insert.run({ pk, seq: firstSeq + index, streamId, message, bytes: event.bytes, now });
    }
    this.#statements.setHead.run({ pk, lastSeq, bytes, expiresAt: expiresAt ?? null, now });
    this.#statements.rememberToken.run({ pk, token, firstSeq, lastSeq });
    if (Math.floor(lastSeq / REMEMBERED_EVENTS) > Math.floor(last_seq / REMEMBERED_EVENTS))
      this.#statements.forgetTokens.run({ pk, seq: lastSeq - REMEMBERED_EVENTS });
    return { firstSeq, retainedEvents: lastSeq - trimmed_seq, retainedBytes: bytes };
  }

  #page(session: LiveSession, query: EventQuery): Pick<EventPage, 'events' | 'more'> {
    const { streamId, afterSeq, limit, maxBytes } = query;
    if (afterSeq !== undefined && afterSeq >= session.last_seq) return { events: [], more: false };
    const { newest, after } = streamId === undefined ? this.#statements.wholeLog : this.#statements.oneStream;
    const { rows, sizedRows } = afterSeq === undefined ? newest : after;
    const args = { pk: session.pk, stream: streamId ?? '', afterSeq: afterSeq ?? 0, limit: limit + 1 };
    // Row by row takes half as long again, so only where the bytes can end a page before the limit does.
    const fits = session.log_bytes <= maxBytes;
    const page = fits ? takeAll(rows.all(args), query) : take(sizedRows.iterate(args), query);
    return afterSeq === undefined ? { events: page.events.toReversed(), more: false } : page;
  }

  #trimmedSeq(session: LiveSession, streamId: string | undefined): number {
    if (streamId === undefined || session.trimmed_seq === 0) return session.trimmed_seq;
    return this.#statements.trimOf.get({ pk: session.pk, streamId })?.trimmed_seq ?? session.forgotten_seq;
  }
}

interface SelectedEvent {
  readonly seq: number;
  /** Only where the query does not name it. */
  readonly stream_id?: string;
  readonly message: string;
  readonly created_at: number;
  /** Only where they can end the page. */
  readonly bytes?: number;
}

function takeAll(rows: readonly SelectedEvent[], { streamId, limit }: EventQuery): Pick<EventPage, 'events' | 'more'> {
  const more = rows.length > limit;
  return { events: (more ? rows.slice(0, limit) : rows).map((row) => toEvent(row, streamId)), more };
}

/** Takes rows while they fit. None behind the first that does not is read. */
function take(
  rows: Iterable<SelectedEvent>,
  { streamId, limit, maxBytes }: EventQuery,
): Pick<EventPage, 'events' | 'more'> {
  const events: EventRow[] = [];
  let total = 0;
  for (const row of rows) {
    total += row.bytes ?? 0;
    if (events.length === limit || (events.length > 0 && total > maxBytes)) return { events, more: true };
    events.push(toEvent(row, streamId));
  }
  return { events, more: false };
}

function toEvent({ seq, stream_id, message, created_at }: SelectedEvent, streamId: string | undefined): EventRow {
  return { seq, streamId: stream_id ?? streamId ?? '', message, createdAt: created_at };
}

interface PageArgs {
  pk: number;
  stream: string;
  afterSeq: number;
  limit: number;
}

// Each column costs as much as a tenth of its row: a page of a thousand rows takes only what it needs.
function preparePages(connection: Connection, ofOneStream: boolean) {
  const prepare = (direction: 'asc' | 'desc', sized: boolean): Statement<PageArgs, SelectedEvent> =>
    connection.statement((queries, { pk, stream, afterSeq, limit }: PageArgs) =>
      queries
        .selectFrom('events')
        .select(['seq', 'message', 'created_at'])
        .$if(sized, (query) => query.select('bytes'))
        .$if(!ofOneStream, (query) => query.select('stream_id'))
        .where('session_pk', '=', pk)
        .$if(ofOneStream, (query) => query.where('stream_id', '=', stream))
        .where('seq', '>', afterSeq)
        .orderBy('seq', direction)
        .limit(limit),
    );
  const both = (direction: 'asc' | 'desc') => ({
    rows: prepare(direction, false),
    sizedRows: prepare(direction, true),
  });
  return { after: both('asc'), newest: both('desc') };
}

function prepare(connection: Connection) {
  return {
    wholeLog: preparePages(connection, false),
    oneStream: preparePages(connection, true),

    streamOf: connection.statement((queries, { pk, seq }: { pk: number; seq: number }) =>
      queries.selectFrom('events').select('stream_id').where('session_pk', '=', pk).where('seq', '=', seq),
    ),

    trimOf: connection.statement((queries, { pk, streamId }: { pk: number; streamId: string }) =>
      queries.selectFrom('trims').select('trimmed_seq').where('session_pk', '=', pk).where('stream_id', '=', streamId),
    ),

    insert: connection.statement(
      (queries, row: { pk: number; seq: number; streamId: string; message: string; bytes: number; now: number }) =>
        queries.insertInto('events').values({
          session_pk: row.pk,
          seq: row.seq,
          stream_id: row.streamId,
          created_at: row.now,
          bytes: row.bytes,
          message: row.message,
        }),
    ),

    setHead: connection.statement((queries, head: Renewal & { pk: number; lastSeq: number; bytes: number }) =>
      queries
        .updateTable('sessions')
        .set({ last_seq: head.lastSeq, log_bytes: head.bytes, ...renewal(head) })
        .where('pk', '=', head.pk),
    ),

    findToken: connection.statement((queries, { pk, token }: { pk: number; token: string }) =>
      queries.selectFrom('tokens').select('first_seq').where('session_pk', '=', pk).where('token', '=', token),
    ),

    rememberToken: connection.statement(
      (queries, row: { pk: number; token: string; firstSeq: number; lastSeq: number }) =>
        queries
          .insertInto('tokens')
          .values({ session_pk: row.pk, token: row.token, first_seq: row.firstSeq, last_seq: row.lastSeq }),
    ),

    // Reads the session's tokens, two thousand at the most, once in a thousand events: cheaper than an index that each append would write.
    forgetTokens: connection.statement((queries, { pk, seq }: { pk: number; seq: number }) =>
      queries.deleteFrom('tokens').where('session_pk', '=', pk).where('last_seq', '<=', seq),
    ),
  };
}
