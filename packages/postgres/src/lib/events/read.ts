import type { EventPage, EventQuery, EventRow } from '@mcp-session/core/backend';
import { sql } from 'kysely';
import type { Connection } from '../connection.ts';
import { table, type Int8 } from '../schema.ts';

/** Reads the logs of sessions, page by page. */
export class EventReader {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
  }

  async read(query: EventQuery, now: number): Promise<EventPage | undefined> {
    const { after, newest } = query.streamId === undefined ? this.#statements.wholeLog : this.#statements.oneStream;
    const rows = await (query.afterSeq === undefined ? newest : after)({ ...query, now });
    const head = rows[0]?.message;
    if (head === undefined || head === null) return undefined;
    // Neither the numbers nor the id of a stream contain spaces.
    const [lastSeq, trimmedSeq, afterStreamId] = head.split(' ');
    const events = toEvents(rows, query);
    const isNewest = query.afterSeq === undefined;
    return {
      events: isNewest ? events.toReversed() : events,
      more: !isNewest && events.length < rows.length - 1,
      lastSeq: Number(lastSeq),
      trimmedSeq: Number(trimmedSeq),
      afterStreamId: afterStreamId === '' ? undefined : afterStreamId,
    };
  }
}

/** The rows after the head, up to the limit or to the first row without room. */
function toEvents(rows: readonly SelectedEvent[], { limit, streamId = '' }: EventQuery): EventRow[] {
  const events: EventRow[] = [];
  for (let index = 1; index < rows.length && index <= limit; index++) {
    const row = rows[index];
    if (row === undefined || row.message === null) break;
    const { seq, created_at, message, stream_id = streamId } = row;
    events.push({ seq: Number(seq), streamId: stream_id, message, createdAt: Number(created_at) });
  }
  return events;
}

interface SelectedEvent {
  readonly seq: Int8;
  readonly created_at: Int8;
  /** In the first row, the head. `null`: the event has no room in the page. */
  readonly message: string | null;
  /** Selected only for a page of the whole log. */
  readonly stream_id?: string;
}

type Page = EventQuery & { readonly now: number };

function prepare(connection: Connection) {
  return {
    wholeLog: preparePages(connection, false),
    oneStream: preparePages(connection, true),
  };
}

function preparePages(connection: Connection, ofOneStream: boolean) {
  return {
    after: connection.reading((_, page: Page) => select(page, ofOneStream, false)),
    newest: connection.reading((_, page: Page) => select(page, ofOneStream, true)),
  };
}

/**
 * The head of the log (its numbers and the stream of the cursor) in the first row, then the events,
 * in rows of one shape: most of the cost of a large page is the driver's work per column and row.
 *
 * The parts of the `union all` keep their order: PostgreSQL runs them one after another unless in
 * parallel, and it runs nothing in parallel that reads a CTE
 * (postgresql.org/docs/current/parallel-safety.html).
 *
 * Sums over the rows cost the server as much as reading them, so they are computed only if the log
 * has more bytes than a page may have. One of the two selections of events never runs.
 */
function select(query: Page, ofOneStream: boolean, isNewest: boolean) {
  const { sessionId, streamId, afterSeq, limit, maxBytes, now } = query;
  const direction = isNewest ? sql`desc` : sql`asc`;
  // The log has every number between its ends, so the end of a page of the whole log is known. Any
  // plan then reads no more than the page.
  const beyond = isNewest
    ? sql`session.last_seq - ${limit}::int8`
    : sql`greatest(session.trimmed_seq, ${afterSeq}::int8)`;
  const within = ofOneStream ? sql`and stream_id = ${streamId}` : sql`and seq <= ${beyond} + ${limit}::int8 + 1`;
  const start = isNewest && ofOneStream ? sql`` : sql`and seq > ${beyond}`;
  const stream = ofOneStream ? sql`` : sql`, stream_id`;
  // One row more than the limit shows that there are more.
  const events = sql`
    select seq, created_at, bytes, message ${stream} from ${table.events}
    where session_pk = session.pk ${within} ${start}
    order by seq ${direction} limit ${limit}::int8 + 1`;
  const horizon = ofOneStream
    ? sql`coalesce((select trimmed_seq from ${table.trims} where session_pk = session.pk and stream_id = ${streamId}), session.forgotten_seq)`
    : sql`session.trimmed_seq`;
  return sql<SelectedEvent>`
    with session as materialized (
      select pk, last_seq, trimmed_seq, log_bytes, concat(last_seq, ' ', ${horizon}, ' ',
        (select stream_id from ${table.events} where session_pk = session.pk and seq = ${afterSeq}::int8 and bytes >= 0)) as head
      from ${table.sessions} as session
      where id = ${sessionId} and expires_at > ${now}
    )
    select null::int8 as seq, null::int8 as created_at, head as message ${ofOneStream ? sql`` : sql`, null as stream_id`} from session
    union all (
      select event.seq, event.created_at, event.message ${stream} from session, lateral (${events}) as event
      where session.log_bytes <= ${maxBytes}::int8
    )
    union all (
      select event.seq, event.created_at, event.message ${stream} from session, lateral (
        select seq, created_at, case when total <= ${maxBytes}::int8 or total = bytes then message end as message ${stream}
        from (
          select event.*, sum(bytes) over up_to as total, first_value(bytes) over up_to as first
          from (${events}) as event
          window up_to as (order by seq ${direction} rows unbounded preceding)
        ) as event
        where total - bytes <= greatest(first, ${maxBytes}::int8)
      ) as event
      where session.log_bytes > ${maxBytes}::int8
    )`;
}
