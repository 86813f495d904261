import { FORGET_EVERY, REMEMBERED_TRIMS, type TrimBound } from '@mcp-session/core/backend';
import { sql } from 'kysely';
import type { Connection } from '../connection.ts';
import { table, type Int8 } from '../schema.ts';

/** Trims the logs of sessions. */
export class EventTrimmer {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
  }

  async trim(sessionId: string, bound: TrimBound, now: number): Promise<number | undefined> {
    const [row] = await this.#statements.trim({ sessionId, now, ...bound });
    return row && Number(row.count);
  }
}

function prepare(connection: Connection) {
  return {
    // Walks the log from its oldest event and stops at the first event that the bound keeps. The
    // log has every number between its ends, so `last_seq - seq + 1` events are left before an
    // event is taken. The statement does not see, and keeps, events that were appended while it
    // waited for the lock.
    trim: connection.writing(
      (_, bound: TrimBound & { readonly sessionId: string; readonly now: number }) => sql<{ count: Int8 }>`
        with session as materialized (
          select pk, last_seq, trimmed_seq, forgotten_seq, log_bytes from ${table.sessions}
          where id = ${bound.sessionId} and expires_at > ${bound.now}
          for update
        ), oldest as materialized (
          select event.seq, event.stream_id, event.bytes, coalesce(
            session.last_seq - event.seq + 1 > ${bound.maxEvents}::int8
            or session.log_bytes - sum(event.bytes) over (order by event.seq) + event.bytes > ${bound.maxBytes}::int8
            or event.created_at < ${bound.createdBefore}::int8
            or event.seq <= ${bound.throughSeq}::int8, false) as exceeding
          from session, lateral (
            select seq, stream_id, created_at, bytes from ${table.events}
            where session_pk = session.pk and seq > session.trimmed_seq and seq <= session.trimmed_seq + ${bound.limit}::int8
            order by seq
          ) as event
        ), taken as materialized (
          select seq, stream_id, bytes from oldest
          where seq < coalesce((select min(seq) from oldest where not exceeding), 9223372036854775807)
        ), removed as (
          delete from ${table.events} as event using session
          where event.session_pk = session.pk and event.seq > session.trimmed_seq and event.seq <= (select max(seq) from taken)
        ), remembered as (
          insert into ${table.trims} (session_pk, stream_id, trimmed_seq)
          select session.pk, taken.stream_id, max(taken.seq) from session, taken group by session.pk, taken.stream_id
          on conflict (session_pk, stream_id) do update set trimmed_seq = excluded.trimmed_seq
        ), forgettable as materialized (
          select old.trimmed_seq
          from session, lateral (
            select trimmed_seq from ${table.trims}
            where session_pk = session.pk
            order by trimmed_seq desc offset ${sql.lit(REMEMBERED_TRIMS)} limit 1
          ) as old
          where (select max(seq) from taken) / ${sql.lit(FORGET_EVERY)} > session.trimmed_seq / ${sql.lit(FORGET_EVERY)}
        ), forgotten as (
          delete from ${table.trims} as trim using session
          where trim.session_pk = session.pk and trim.trimmed_seq <= (select trimmed_seq from forgettable)
            and not exists (select from taken where taken.stream_id = trim.stream_id)
        ), trimmed as (
          update ${table.sessions} as trimmed set
            trimmed_seq = (select max(seq) from taken),
            log_bytes = session.log_bytes - (select sum(bytes) from taken),
            forgotten_seq = greatest(session.forgotten_seq, (select trimmed_seq from forgettable))
          from session
          where trimmed.pk = session.pk and exists (select from taken)
        )
        select (select count(*) from taken) as count from session`,
    ),
  };
}
