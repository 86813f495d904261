import type { AppendRequest, AppendResult, EventPage, EventQuery, EventRow } from '@mcp-session/core';
import { sql } from 'kysely';
import type { Connection } from './connection.ts';
import { codeOf } from './errors.ts';
import { numberArray, textArray } from './literals.ts';
import { table, type Int8 } from './schema.ts';

/** Tokens are remembered while their events are among so many newest of the session. */
const REMEMBERED_EVENTS = 1_000;

const UNIQUE_VIOLATION = '23505';

/** Appends to sessions' logs and reads them. */
export class Events {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
  }

  async append(batch: readonly AppendRequest[], now: number): Promise<readonly (AppendResult | undefined)[]> {
    const args = { ...toArrays(batch), now };
    let rows: readonly Appended[];
    try {
      rows = await this.#statements.append(args);
    } catch (error) {
      // The same request was under way, on a connection that was given up: it had not committed when this statement began, and its token was not to
      // be seen. Nothing of the batch was written. It has committed now, so that the second time the token is known.
      if (!(error instanceof Error) || codeOf(error.cause) !== UNIQUE_VIOLATION) throw error;
      rows = await this.#statements.append(args);
    }
    const results: (AppendResult | undefined)[] = Array.from({ length: batch.length });
    for (const row of rows)
      results[Number(row.n) - 1] = {
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

function toArrays(batch: readonly AppendRequest[]) {
  const events = batch.flatMap((request, index) =>
    request.events.map((event, k) => ({ ...event, n: index + 1, k: k + 1 })),
  );
  return {
    ids: textArray(batch.map(({ sessionId }) => sessionId)),
    tokens: textArray(batch.map(({ token }) => token)),
    counts: numberArray(batch.map((request) => request.events.length)),
    sums: numberArray(batch.map((request) => request.events.reduce((sum, event) => sum + event.bytes, 0))),
    renewals: numberArray(batch.map(({ expiresAt }) => expiresAt)),
    n: numberArray(events.map((event) => event.n)),
    k: numberArray(events.map((event) => event.k)),
    streamIds: textArray(events.map((event) => event.streamId)),
    bytes: numberArray(events.map((event) => event.bytes)),
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
            select pk, last_seq, trimmed_seq, forgotten_seq from ${table.sessions}
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
          select session.last_seq,
            ${ofOneStream ? trimmedOf(streamId) : sql`session.trimmed_seq`} as trimmed_seq,
            (select stream_id from ${table.events} where session_pk = session.pk and seq = ${afterSeq}::int8) as after_stream_id,
            page.found, page.seq, page.stream_id, page.created_at, page.message
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

    // One statement, so one round trip and no transaction to hold open. Appends to one session queue up behind its row, which makes the order of the
    // commits the order of the numbers: a sequence of the database's would show a reader n + 1 before n. Rows are locked in the order of the
    // ids: two batches of the same sessions cannot wait for each other.
    append: connection.writing(
      (_, args: ReturnType<typeof toArrays> & { readonly now: number }) => sql<Appended>`
        with request as materialized (
          select * from unnest(
            ${args.ids}::text[], ${args.tokens}::text[], ${args.counts}::int8[], ${args.sums}::int8[], ${args.renewals}::int8[]
          ) with ordinality as r (id, token, events, bytes, expires_at, n)
        ), locked as materialized (
          select request.n, request.token, request.events, request.bytes, request.expires_at,
            session.pk, session.last_seq, session.trimmed_seq, session.log_bytes
          from request join ${table.sessions} as session on session.id = request.id
          where session.ended_at is null and session.expires_at > ${args.now}
          order by session.id
          for update of session
        ), known as materialized (
          select locked.n, token.first_seq
          from locked join ${table.tokens} as token on token.session_pk = locked.pk and token.token = locked.token
        ), fresh as materialized (
          select * from locked where not exists (select from known where known.n = locked.n)
        ), moved as (
          update ${table.sessions} as session set
            last_seq = locked.last_seq + case when fresh.n is null then 0 else fresh.events end,
            log_bytes = locked.log_bytes + case when fresh.n is null then 0 else fresh.bytes end,
            expires_at = greatest(session.expires_at, locked.expires_at),
            touched_at = case when locked.expires_at is null then session.touched_at else greatest(session.touched_at, ${args.now}::int8) end
          from locked left join fresh using (n)
          where session.pk = locked.pk
        ), added as (
          insert into ${table.events} (session_pk, seq, stream_id, created_at, bytes, message)
          select fresh.pk, fresh.last_seq + event.k, event.stream_id, ${args.now}::int8, event.bytes, event.message
          from fresh join unnest(
            ${args.n}::int8[], ${args.k}::int8[], ${args.streamIds}::text[], ${args.bytes}::int4[], ${args.messages}::text[]
          ) as event (n, k, stream_id, bytes, message) using (n)
        ), remembered as (
          insert into ${table.tokens} (session_pk, token, first_seq, last_seq)
          select pk, token, last_seq + 1, last_seq + events from fresh
        ), forgotten as (
          delete from ${table.tokens} where ctid = any(array(
            select old.ctid
            from fresh, lateral (
              select ctid from ${table.tokens}
              where session_pk = fresh.pk and last_seq <= fresh.last_seq + fresh.events - ${sql.lit(REMEMBERED_EVENTS)}
              offset 0
            ) as old
            where (fresh.last_seq + fresh.events) / ${sql.lit(REMEMBERED_EVENTS)} > fresh.last_seq / ${sql.lit(REMEMBERED_EVENTS)}
          ))
        )
        select locked.n, coalesce(known.first_seq, locked.last_seq + 1) as first_seq,
          locked.last_seq - locked.trimmed_seq + coalesce(fresh.events, 0) as retained_events,
          locked.log_bytes + coalesce(fresh.bytes, 0) as retained_bytes
        from locked left join known using (n) left join fresh using (n)`,
    ),
  };
}
