import { takePage, type EventPage, type EventQuery, type EventRow } from '@mcp-session/core/backend';
import type { Kysely } from 'kysely';
import type { Connection } from '../connection.ts';
import { opaqueNumber, opaqueText } from '../opaque.ts';
import type { Tables } from '../schema.ts';
import type { LiveSession, LiveSessions } from '../sessions/renewal.ts';

/** Reads the logs of sessions, page by page. */
export class EventReader {
  readonly #connection: Connection;
  readonly #sessions: LiveSessions;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection, sessions: LiveSessions) {
    this.#connection = connection;
    this.#sessions = sessions;
    this.#statements = prepare(connection);
  }

  read(query: EventQuery, now: number): EventPage | undefined {
    return this.#connection.read(() => {
      const session = this.#sessions.findLive(query.sessionId, now);
      if (session === undefined) return undefined;
      const { pk, last_seq: lastSeq } = session;
      const cursor = this.#statements.streamOf.get({ pk, seq: query.afterSeq ?? 0 });
      const trimmedSeq = this.#trimmedSeq(session, query.streamId);
      return { ...this.#page(session, query), lastSeq, trimmedSeq, afterStreamId: cursor?.stream_id };
    });
  }

  #page(session: LiveSession, query: EventQuery): Pick<EventPage, 'events' | 'more'> {
    const { streamId, afterSeq, limit, maxBytes } = query;
    if (afterSeq !== undefined && afterSeq >= session.last_seq) return { events: [], more: false };
    const { newest, after } = streamId === undefined ? this.#statements.wholeLog : this.#statements.oneStream;
    const { rows, sizedRows } = afterSeq === undefined ? newest : after;
    const args = { pk: session.pk, stream: streamId ?? '', afterSeq: afterSeq ?? 0, limit: limit + 1 };
    // Iterating takes 1.5 times as long as reading all rows at once, so rows are iterated only if
    // maxBytes can end the page early.
    const page =
      session.log_bytes <= maxBytes ? takeRows(rows.all(args), limit) : takePage(sizedRows.iterate(args), query);
    const events = page.rows.map((row) => toEvent(row, streamId));
    return afterSeq === undefined ? { events: events.toReversed(), more: false } : { events, more: page.more };
  }

  #trimmedSeq(session: LiveSession, streamId: string | undefined): number {
    if (streamId === undefined || session.trimmed_seq === 0) return session.trimmed_seq;
    return this.#statements.trimOf.get({ pk: session.pk, streamId })?.trimmed_seq ?? session.forgotten_seq;
  }
}

interface SelectedEvent {
  readonly seq: number;
  /** Selected only for a page of the whole log. */
  readonly stream_id?: string;
  readonly message: string;
  readonly created_at: number;
}

function takeRows<Row>(rows: readonly Row[], limit: number): { readonly rows: readonly Row[]; readonly more: boolean } {
  return rows.length > limit ? { rows: rows.slice(0, limit), more: true } : { rows, more: false };
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

// Each column costs a tenth of its row, so a page selects only the columns that it needs.
function preparePages(connection: Connection, ofOneStream: boolean) {
  const select = (direction: 'asc' | 'desc') => (queries: Kysely<Tables>, args: PageArgs) =>
    queries
      .selectFrom('events')
      .select(['seq', 'message', 'created_at'])
      .$if(!ofOneStream, (query) => query.select('stream_id'))
      .where('session_pk', '=', opaqueNumber(args.pk))
      .$if(ofOneStream, (query) => query.where('stream_id', '=', opaqueText(args.stream)))
      .where('seq', '>', opaqueNumber(args.afterSeq))
      .orderBy('seq', direction)
      .limit(opaqueNumber(args.limit));
  const both = (direction: 'asc' | 'desc') => ({
    rows: connection.statement(select(direction)),
    sizedRows: connection.statement((queries, args: PageArgs) => select(direction)(queries, args).select('bytes')),
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
  };
}
