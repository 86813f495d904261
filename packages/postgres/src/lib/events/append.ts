import type { AppendOutcome, AppendRequest, AppendResult, NewEvent } from '@mcp-session/core/backend';
import { sql, type RawBuilder } from 'kysely';
import type { Connection } from '../connection.ts';
import { isDuplicate } from '../errors.ts';
import type { Hints } from '../hints.ts';
import { numberArray, separated, textArray } from '../literals.ts';
import { table, type Int8 } from '../schema.ts';

/** How many events a session has between two looks at the tokens that can be forgotten, and how many it remembers at least. */
const REMEMBERED_EVENTS = 1_000;
/** Stands for no renewal in an array. No session expires then. */
const NO_RENEWAL = 0;

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
  readonly #hints: Hints;

  constructor(connection: Connection, hints: Hints) {
    this.#statements = prepare(connection);
    this.#hints = hints;
  }

  append(batch: readonly AppendRequest[], now: number): Promise<readonly AppendOutcome[]> {
    const [request] = batch;
    const event = request?.events[0];
    return request !== undefined && event !== undefined && batch.length === 1 && request.events.length === 1
      ? this.#appendOne(request, event, now)
      : this.#appendMany(batch, now);
  }

  async #appendOne(request: AppendRequest, event: NewEvent, now: number): Promise<readonly AppendOutcome[]> {
    const { sessionId, token, expiresAt } = request;
    const { streamId, message, bytes } = event;
    let row: AppendedRow | undefined;
    try {
      [row] = await this.#statements.one({ sessionId, token, expiresAt, streamId, message, bytes, now });
    } catch (error) {
      return this.#appendAgain([request], now, error);
    }
    if (row === undefined) return [undefined];
    const result = toResult(row);
    this.#hints.moved(sessionId);
    if (result.firstSeq % REMEMBERED_EVENTS === 0) await this.#forgetTokens([request], [result], now);
    return [result];
  }

  async #appendMany(batch: readonly AppendRequest[], now: number): Promise<readonly AppendOutcome[]> {
    try {
      return await this.#settle(batch, await this.#statements.many({ ...toArrays(batch), now }), now);
    } catch (error) {
      return this.#appendAgain(batch, now, error);
    }
  }

  /** @throws The error, where it is not about a token. */
  async #appendAgain(batch: readonly AppendRequest[], now: number, error: unknown): Promise<readonly AppendOutcome[]> {
    if (!isDuplicate(error)) throw error;
    return this.#settle(batch, await this.#statements.again({ ...toArrays(batch), now }), now);
  }

  async #settle(
    batch: readonly AppendRequest[],
    rows: readonly AppendedRow[],
    now: number,
  ): Promise<readonly AppendOutcome[]> {
    const results: (AppendResult | undefined)[] = batch.map(() => undefined);
    for (const row of rows) {
      const place = Number(row.n);
      results[place] = toResult(row);
      this.#hints.moved(batch[place]?.sessionId ?? '');
    }
    await this.#forgetTokens(batch, results, now);
    return results;
  }

  /** Those of old events, for each session that has come past another thousand. */
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
      const throughSeq = lastSeq - REMEMBERED_EVENTS;
      // The events are committed. What stays because of a failure goes after the next thousand.
      await this.#statements.forgetTokens({ sessionId, throughSeq, now }).catch(() => undefined);
    }
  }
}

function toResult({ first_seq, retained_events, retained_bytes }: AppendedRow): AppendResult {
  return {
    firstSeq: Number(first_seq),
    retainedEvents: Number(retained_events),
    retainedBytes: Number(retained_bytes),
  };
}

/** In the order of the ids, in which the sessions are locked: two batches with the same ones cannot wait for each other. */
function toArrays(requests: readonly AppendRequest[]) {
  const order = requests
    .map(({ sessionId }, place) => ({ sessionId, place }))
    .toSorted((a, b) => (a.sessionId < b.sessionId ? -1 : 1));
  const batch = order.flatMap(({ place }) => requests[place] ?? []);
  const events = batch.flatMap((request) => request.events);
  return {
    places: numberArray(order.map(({ place }) => place)),
    ids: textArray(batch.map(({ sessionId }) => sessionId)),
    tokens: textArray(batch.map(({ token }) => token)),
    counts: numberArray(batch.map((request) => request.events.length)),
    sums: numberArray(batch.map((request) => request.events.reduce((sum, event) => sum + event.bytes, 0))),
    renewals: numberArray(batch.map(({ expiresAt }) => expiresAt ?? NO_RENEWAL)),
    owners: numberArray(order.flatMap(({ place }) => (requests[place]?.events ?? []).map(() => place))),
    offsets: numberArray(batch.flatMap((request) => request.events.map((_, index) => index + 1))),
    streamIds: textArray(events.map((event) => event.streamId)),
    sizes: numberArray(events.map((event) => event.bytes)),
    ...separated(events.map((event) => event.message)),
  };
}

interface AppendedRow {
  /** Which request, from 0. */
  readonly n: Int8;
  readonly first_seq: Int8;
  readonly retained_events: Int8;
  readonly retained_bytes: Int8;
}

type Many = ReturnType<typeof toArrays> & { readonly now: number };

type One = Omit<AppendRequest, 'events'> & NewEvent & { readonly now: number };

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
      (_, { sessionId, token, expiresAt, streamId, message, bytes, now }: One) => sql<AppendedRow>`
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
        select 0 as n, last_seq as first_seq, last_seq - trimmed_seq as retained_events, log_bytes as retained_bytes from moved`,
    ),

    // Sorted before they are locked. The update then sees each row as it is, also where others have committed while this statement waited.
    many: connection.writing(
      (_, batch: Many) => sql<AppendedRow>`
        with locked as materialized (
          select session.pk, given.n, given.token, given.count, given.bytes, nullif(given.renewal, ${sql.lit(NO_RENEWAL)}) as renewal
          from unnest(${batch.places}::int4[], ${batch.ids}::text[], ${batch.tokens}::text[], ${batch.counts}::int4[], ${batch.sums}::int8[], ${batch.renewals}::int8[])
            as given (n, id, token, count, bytes, renewal)
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
          select moved.pk, moved.before_seq + event.k, ${batch.now}::int8, event.bytes, event.stream_id, event.message
          from rows from (
            unnest(${batch.owners}::int4[], ${batch.offsets}::int4[], ${batch.sizes}::int4[], ${batch.streamIds}::text[]),
            string_to_table(${batch.joined}::text, ${batch.separator}::text)
          ) as event (n, k, bytes, stream_id, message)
          join moved on moved.n = event.n
        )
        select n, before_seq + 1 as first_seq, last_seq - trimmed_seq as retained_events, log_bytes as retained_bytes from moved`,
    ),

    again: connection.writing(
      (_, batch: Many) => sql<AppendedRow>`
        select (${batch.places}::int4[])[n] as n, first_seq, retained_events, retained_bytes from ${append_events}(
          ${batch.now}::int8, ${batch.ids}::text[], ${batch.tokens}::text[], ${batch.counts}::int8[], ${batch.sums}::int8[],
          array_replace(${batch.renewals}::int8[], ${sql.lit(NO_RENEWAL)}::int8, null), ${batch.streamIds}::text[], ${batch.sizes}::int4[],
          string_to_array(${batch.joined}::text, ${batch.separator}::text))`,
    ),

    forgetTokens: connection.writing(
      (_, old: { readonly sessionId: string; readonly throughSeq: number; readonly now: number }) => sql`
        with session as materialized (
          select pk from ${table.sessions} where id = ${old.sessionId} and expires_at > ${old.now}::int8 for update
        )
        delete from ${table.tokens} as token using session
        where token.session_pk = session.pk and token.last_seq <= ${old.throughSeq}::int8`,
    ),
  };
}
