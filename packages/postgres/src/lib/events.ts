import type { AppendRequest, AppendResult, EventPage, EventQuery, EventRow } from '@mcp-session/core';
import { sql } from 'kysely';
import type { Connection } from './connection.ts';
import { numberArray, textArray } from './literals.ts';
import { table, type Int8 } from './schema.ts';

/** Appends to sessions' logs and reads them. */
export class Events {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
  }

  async append(batch: readonly AppendRequest[], now: number): Promise<readonly (AppendResult | undefined)[]> {
    // In the order of the ids, in which the function locks them.
    const order = batch.map((_, index) => index).toSorted((a, b) => (idAt(batch, a) < idAt(batch, b) ? -1 : 1));
    const sorted = order.map((index) => batch[index]).filter((request) => request !== undefined);
    const results: (AppendResult | undefined)[] = Array.from({ length: batch.length });
    for (const row of await this.#statements.append({ ...toArrays(sorted), now }))
      results[order[Number(row.n) - 1] ?? -1] = {
        firstSeq: Number(row.first_seq),
        retainedEvents: Number(row.retained_events),
        retainedBytes: Number(row.retained_bytes),
      };
    return results;
  }

  async read(query: EventQuery, now: number): Promise<EventPage | undefined> {
    const { after, newest } = query.streamId === undefined ? this.#statements.wholeLog : this.#statements.oneStream;
    const rows = await (query.afterSeq === undefined ? newest : after)({ ...query, now });
    const [first] = rows;
    if (first === undefined) return undefined;
    // A page without events is one row of nulls.
    const events = rows.flatMap((row) => (row.seq === null ? [] : [toEvent(row)]));
    return {
      events: query.afterSeq === undefined ? events.toReversed() : events,
      more: query.afterSeq !== undefined && Number(first.found) > events.length,
      lastSeq: Number(first.last_seq),
      trimmedSeq: Number(first.trimmed_seq),
      afterStreamId: first.after_stream_id ?? undefined,
    };
  }
}

function idAt(batch: readonly AppendRequest[], index: number): string {
  return batch[index]?.sessionId ?? '';
}

function toArrays(batch: readonly AppendRequest[]) {
  const events = batch.flatMap((request) => request.events);
  return {
    ids: textArray(batch.map(({ sessionId }) => sessionId)),
    tokens: textArray(batch.map(({ token }) => token)),
    counts: numberArray(batch.map((request) => request.events.length)),
    sums: numberArray(batch.map((request) => request.events.reduce((sum, event) => sum + event.bytes, 0))),
    renewals: numberArray(batch.map(({ expiresAt }) => expiresAt)),
    streamIds: textArray(events.map((event) => event.streamId)),
    sizes: numberArray(events.map((event) => event.bytes)),
    messages: textArray(events.map((event) => event.message)),
  };
}

function toEvent({ seq, stream_id, message, created_at }: SelectedEvent): EventRow {
  return { seq: Number(seq), streamId: stream_id, message, createdAt: Number(created_at) };
}

interface Appended {
  readonly n: Int8;
  readonly first_seq: Int8;
  readonly retained_events: Int8;
  readonly retained_bytes: Int8;
}

interface SelectedEvent {
  readonly last_seq: Int8;
  readonly trimmed_seq: Int8;
  readonly after_stream_id: string | null;
  /** How many there were before `maxBytes` cut. */
  readonly found: Int8 | null;
  readonly seq: Int8 | null;
  readonly stream_id: string;
  readonly created_at: Int8;
  readonly message: string;
}

function preparePages(connection: Connection, ofOneStream: boolean) {
  const page = (newest: boolean) =>
    connection.reading(
      (_, { sessionId, streamId, afterSeq, limit, maxBytes, now }: EventQuery & { readonly now: number }) => {
        const direction = newest ? sql`desc` : sql`asc`;
        // The log holds every number between its ends, so that it is known where a page of all of it ends. Whatever plan is chosen then reads no more than the page.
        const beyond = newest
          ? sql`session.last_seq - ${limit}::int8`
          : sql`greatest(session.trimmed_seq, ${afterSeq}::int8)`;
        const within = ofOneStream ? sql`and stream_id = ${streamId}` : sql`and seq <= ${beyond} + ${limit}::int8 + 1`;
        const start = newest && ofOneStream ? sql`` : sql`and seq > ${beyond}`;
        // One row more than the limit tells whether there is more.
        return sql<SelectedEvent>`
          with session as materialized (
            select pk, last_seq, trimmed_seq,
              ${ofOneStream ? trimmedOf(streamId) : sql`session.trimmed_seq`} as horizon,
              (select stream_id from ${table.events} where session_pk = session.pk and seq = ${afterSeq}::int8) as after_stream_id
            from ${table.sessions} as session
            where id = ${sessionId} and ended_at is null and expires_at > ${now}
          ), page as (
            select event.*, count(*) over () as found, row_number() over up_to as nth, sum(bytes) over up_to as total
            from session, lateral (
              select seq, stream_id, created_at, bytes, message from ${table.events}
              where session_pk = session.pk ${within} ${start}
              order by seq ${direction} limit ${limit}::int8 + 1
            ) as event
            window up_to as (order by seq ${direction})
          )
          select session.last_seq, session.horizon as trimmed_seq, session.after_stream_id, page.found, page.seq, page.stream_id, page.created_at, page.message
          from session left join page on page.nth <= ${limit} and (page.nth = 1 or page.total <= ${maxBytes})
          order by page.nth`;
      },
    );
  return { after: page(false), newest: page(true) };
}

function trimmedOf(streamId: string | undefined) {
  const trim = sql`select trimmed_seq from ${table.trims} where session_pk = session.pk and stream_id = ${streamId}`;
  return sql`coalesce((${trim}), session.forgotten_seq)`;
}

function prepare(connection: Connection) {
  return {
    wholeLog: preparePages(connection, false),
    oneStream: preparePages(connection, true),

    append: connection.writing(
      (_, args: ReturnType<typeof toArrays> & { readonly now: number }) => sql<Appended>`
        select * from ${sql.id(connection.schema, `${connection.tablePrefix}append_events`)}(
          ${args.now}::int8, ${args.ids}::text[], ${args.tokens}::text[], ${args.counts}::int8[], ${args.sums}::int8[],
          ${args.renewals}::int8[], ${args.streamIds}::text[], ${args.sizes}::int4[], ${args.messages}::text[])`,
    ),
  };
}
