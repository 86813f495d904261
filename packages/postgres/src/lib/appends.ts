import type { AppendRequest, AppendResult, NewEvent } from '@mcp-session/core';
import { sql, type RawBuilder } from 'kysely';
import type { Connection } from './connection.ts';
import { isDuplicate } from './errors.ts';
import { heardElsewhere } from './hints.ts';
import { numberArray, textArray } from './literals.ts';
import { table, type Int8 } from './schema.ts';

/** How many events a session has between two looks at the tokens that can be forgotten, and how many it remembers at least. */
const REMEMBERED_EVENTS = 1_000;

/** What became of a batch. */
export interface Appended {
  /** One for each request; `undefined` where its session is not live. */
  readonly results: readonly (AppendResult | undefined)[];
  /** Whether somebody else listens for what has moved. */
  readonly isHeard: boolean;
}

/**
 * Appends to sessions' logs.
 *
 * The update of a session's row checks that it is live, hands out the numbers, and holds the row until the commit: appends to one session queue up behind it, which makes
 * the order of the commits the order of the numbers. A sequence of the database's would show a reader n + 1 before n.
 *
 * It is one statement, which refuses a token that is known already: the index finds that one also when its commit came while the statement waited, and nothing of the
 * statement is left then. Only requests that were tried again have such a token, and for these the function `append_events` makes a second statement that answers
 * with what the first attempt was given.
 */
export class Appends {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
  }

  async append(batch: readonly AppendRequest[], now: number, node: string): Promise<Appended> {
    const [request, another] = batch;
    const event = request?.events.length === 1 ? request.events[0] : undefined;
    // In the order of the ids, in which the statements lock them: two batches of the same sessions cannot wait for each other.
    const order = batch.map((_, index) => index).toSorted((a, b) => (idAt(batch, a) < idAt(batch, b) ? -1 : 1));
    const sorted = order.map((index) => batch[index]).filter((each) => each !== undefined);
    let rows: readonly AppendedRow[];
    try {
      rows =
        request !== undefined && event !== undefined && another === undefined
          ? await this.#statements.one({ ...request, ...event, now, node })
          : await this.#statements.many({ ...toArrays(sorted), now, node });
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      rows = await this.#statements.again({ ...toArrays(sorted), now });
    }
    const results: (AppendResult | undefined)[] = Array.from({ length: batch.length });
    for (const row of rows) {
      const index = order[Number(row.n) - 1] ?? -1;
      results[index] = {
        firstSeq: Number(row.first_seq),
        retainedEvents: Number(row.retained_events),
        retainedBytes: Number(row.retained_bytes),
      };
    }
    await this.#forgetTokens(batch, results, now);
    return { results, isHeard: rows.some((row) => row.is_heard) };
  }

  /** The tokens of old events, once in a thousand events. */
  async #forgetTokens(
    batch: readonly AppendRequest[],
    results: readonly (AppendResult | undefined)[],
    now: number,
  ): Promise<void> {
    for (const [index, { sessionId, events }] of batch.entries()) {
      const firstSeq = results[index]?.firstSeq;
      if (firstSeq === undefined) continue;
      const lastSeq = firstSeq + events.length - 1;
      if (Math.floor(lastSeq / REMEMBERED_EVENTS) === Math.floor((firstSeq - 1) / REMEMBERED_EVENTS)) continue;
      // The events are committed. What stays because of a failure goes after the next thousand.
      await this.#statements
        .forgetTokens({ sessionId, throughSeq: lastSeq - REMEMBERED_EVENTS, now })
        .catch(() => undefined);
    }
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
    requests: numberArray(batch.flatMap((request, index) => request.events.map(() => index + 1))),
    places: numberArray(batch.flatMap((request) => request.events.map((_, index) => index + 1))),
    streamIds: textArray(events.map((event) => event.streamId)),
    sizes: numberArray(events.map((event) => event.bytes)),
    messages: textArray(events.map((event) => event.message)),
  };
}

interface AppendedRow {
  /** Which request, from 1. */
  readonly n: Int8;
  readonly first_seq: Int8;
  readonly retained_events: Int8;
  readonly retained_bytes: Int8;
  readonly is_heard: boolean;
}

type Many = ReturnType<typeof toArrays> & { readonly now: number; readonly node: string };

type One = Omit<AppendRequest, 'events'> & NewEvent & { readonly now: number; readonly node: string };

/** What an append sets of a session's row. */
function advance(count: RawBuilder<unknown>, bytes: RawBuilder<unknown>, expiresAt: RawBuilder<unknown>, now: number) {
  return sql`
    last_seq = session.last_seq + ${count},
    log_bytes = session.log_bytes + ${bytes},
    expires_at = greatest(session.expires_at, ${expiresAt}),
    touched_at = case when ${expiresAt} is null then session.touched_at else greatest(session.touched_at, ${now}::int8) end`;
}

function prepare(connection: Connection) {
  const append_events = sql.id(connection.schema, `${connection.tablePrefix}append_events`);
  return {
    one: connection.writing(
      (_, { sessionId, token, expiresAt, streamId, message, bytes, now, node }: One) => sql<AppendedRow>`
        with moved as (
          update ${table.sessions} as session set ${advance(sql`1`, sql`${bytes}::int4`, sql`${expiresAt}::int8`, now)}
          where id = ${sessionId} and expires_at > ${now}::int8
          returning pk, last_seq, trimmed_seq, log_bytes
        ), remembered as (
          insert into ${table.tokens} (session_pk, token, first_seq, last_seq) select pk, ${token}, last_seq, last_seq from moved
        ), added as (
          insert into ${table.events} (session_pk, seq, created_at, bytes, stream_id, message)
          select pk, last_seq, ${now}::int8, ${bytes}::int4, ${streamId}, ${message} from moved
        )
        select 1 as n, last_seq as first_seq, last_seq - trimmed_seq as retained_events, log_bytes as retained_bytes,
          ${heardElsewhere(node)} as is_heard
        from moved`,
    ),

    // Sorted before they are locked. The update then sees each row as it is, also where others have committed while this statement waited.
    many: connection.writing(
      (_, batch: Many) => sql<AppendedRow>`
        with locked as materialized (
          select session.pk, given.n, given.token, given.count, given.bytes, given.renewal
          from unnest(${batch.ids}::text[], ${batch.tokens}::text[], ${batch.counts}::int4[], ${batch.sums}::int8[], ${batch.renewals}::int8[])
            with ordinality as given (id, token, count, bytes, renewal, n)
          join ${table.sessions} as session on session.id = given.id
          where session.expires_at > ${batch.now}::int8
          order by session.id
          for update of session
        ), moved as (
          update ${table.sessions} as session set ${advance(sql`locked.count`, sql`locked.bytes`, sql`locked.renewal`, batch.now)}
          from locked where session.pk = locked.pk
          returning session.pk, locked.n, locked.token, session.last_seq - locked.count as before_seq, session.last_seq,
            session.trimmed_seq, session.log_bytes
        ), remembered as (
          insert into ${table.tokens} (session_pk, token, first_seq, last_seq) select pk, token, before_seq + 1, last_seq from moved
        ), added as (
          insert into ${table.events} (session_pk, seq, created_at, bytes, stream_id, message)
          select moved.pk, moved.before_seq + event.place, ${batch.now}::int8, event.bytes, event.stream_id, event.message
          from unnest(${batch.requests}::int4[], ${batch.places}::int4[], ${batch.sizes}::int4[], ${batch.streamIds}::text[], ${batch.messages}::text[])
            as event (n, place, bytes, stream_id, message)
          join moved on moved.n = event.n
        )
        select n, before_seq + 1 as first_seq, last_seq - trimmed_seq as retained_events, log_bytes as retained_bytes,
          ${heardElsewhere(batch.node)} as is_heard
        from moved`,
    ),

    again: connection.writing(
      (_, batch: Omit<Many, 'node'>) => sql<AppendedRow>`
        select *, true as is_heard from ${append_events}(
          ${batch.now}::int8, ${batch.ids}::text[], ${batch.tokens}::text[], ${batch.counts}::int8[], ${batch.sums}::int8[],
          ${batch.renewals}::int8[], ${batch.streamIds}::text[], ${batch.sizes}::int4[], ${batch.messages}::text[])`,
    ),

    forgetTokens: connection.writing(
      (_, old: { readonly sessionId: string; readonly throughSeq: number; readonly now: number }) => sql<unknown>`
        with session as materialized (
          select pk from ${table.sessions} where id = ${old.sessionId} and expires_at > ${old.now}::int8 for update
        )
        delete from ${table.tokens} as token using session
        where token.session_pk = session.pk and token.last_seq <= ${old.throughSeq}::int8`,
    ),
  };
}
