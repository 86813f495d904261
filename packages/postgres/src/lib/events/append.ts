import {
  FORGET_EVERY,
  passes,
  REMEMBERED_TOKENS,
  type AppendOutcome,
  type AppendRequest,
  type AppendResult,
  type NewEvent,
} from '@mcp-session/core/backend';
import { sql, type RawBuilder } from 'kysely';
import type { Connection, Statement } from '../connection.ts';
import { isDuplicate } from '../errors.ts';
import { numberArray, separated, textArray } from '../literals.ts';
import { table, type Int8 } from '../schema.ts';
import { renewalText } from '../sessions/renewal.ts';

/** Stands for "no renewal" in an array. No session expires at this time. */
const NO_RENEWAL = 0;

/**
 * Appends events to the logs of sessions, in one statement a call.
 *
 * The update of the session's row checks that the session is live, assigns the numbers, and locks
 * the row until commit. Appends to one session queue up behind it, so the commit order is the
 * sequence order. A sequence of the database would show a reader n + 1 before n.
 *
 * The statement fails if a token is known already, also if the token was committed while the
 * statement waited for its lock: the unique index finds it. Only retries have such a token. They
 * run the function `append_events` instead, which answers with the outcome of the first attempt.
 */
export class EventAppender {
  readonly #statements: ReturnType<typeof prepare>;
  readonly #onAppended: (sessionId: string) => void;

  /** @param onAppended Called with the id of each session that has new events. */
  constructor(connection: Connection, onAppended: (sessionId: string) => void) {
    this.#statements = prepare(connection);
    this.#onAppended = onAppended;
  }

  async append(batch: readonly AppendRequest[], now: number): Promise<readonly AppendOutcome[]> {
    let rows: readonly AppendedRow[];
    try {
      rows = await this.#send(batch, now);
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      rows = await this.#statements.retry({ ...toArrays(batch), now });
    }
    const results: (AppendResult | undefined)[] = batch.map(() => undefined);
    for (const row of rows) {
      const index = Number(row.request);
      results[index] = toResult(row);
      this.#onAppended(batch[index]?.sessionId ?? '');
    }
    await this.#forgetTokens(batch, results, now);
    return results;
  }

  #send(batch: readonly AppendRequest[], now: number): Promise<readonly AppendedRow[]> {
    const [request] = batch;
    const event = request?.events[0];
    if (request === undefined || event === undefined || batch.length > 1 || request.events.length > 1) {
      return this.#statements.many({ ...toArrays(batch), now });
    }
    const { sessionId, token, expiresAt } = request;
    const { streamId, message, bytes } = event;
    return this.#statements.one({ sessionId, token, expiresAt, streamId, message, bytes, now });
  }

  /**
   * Forgets the tokens of old events. The events are committed, so a failure waits for the next
   * time.
   */
  async #forgetTokens(
    batch: readonly AppendRequest[],
    results: readonly (AppendResult | undefined)[],
    now: number,
  ): Promise<void> {
    for (const [index, { sessionId, events }] of batch.entries()) {
      const firstSeq = results[index]?.firstSeq;
      if (firstSeq === undefined) continue;
      const lastSeq = firstSeq + events.length - 1;
      if (!passes(FORGET_EVERY, firstSeq - 1, lastSeq)) continue;
      const throughSeq = lastSeq - REMEMBERED_TOKENS;
      await this.#statements.forgetTokens({ sessionId, throughSeq, now }).catch(() => undefined);
    }
  }
}

interface AppendedRow {
  /** Index of the request in the batch. */
  readonly request: Int8;
  readonly first_seq: Int8;
  readonly retained_events: Int8;
  readonly retained_bytes: Int8;
}

function toResult({ first_seq, retained_events, retained_bytes }: AppendedRow): AppendResult {
  return {
    firstSeq: Number(first_seq),
    retainedEvents: Number(retained_events),
    retainedBytes: Number(retained_bytes),
  };
}

/** Sorted by session id, the order in which sessions are locked: so two batches cannot deadlock. */
function toArrays(batch: readonly AppendRequest[]) {
  const order = batch
    .map((request, index) => ({ request, index }))
    .toSorted((a, b) => (a.request.sessionId < b.request.sessionId ? -1 : 1));
  const requests = order.map(({ request }) => request);
  const events = requests.flatMap((request) => request.events);
  return {
    indexes: numberArray(order.map(({ index }) => index)),
    ids: textArray(requests.map(({ sessionId }) => sessionId)),
    tokens: textArray(requests.map(({ token }) => token)),
    counts: numberArray(requests.map((request) => request.events.length)),
    sums: numberArray(requests.map((request) => request.events.reduce((sum, event) => sum + event.bytes, 0))),
    renewals: numberArray(requests.map(({ expiresAt }) => expiresAt ?? NO_RENEWAL)),
    owners: numberArray(order.flatMap(({ request, index }) => request.events.map(() => index))),
    offsets: numberArray(requests.flatMap((request) => request.events.map((_, offset) => offset + 1))),
    streamIds: textArray(events.map((event) => event.streamId)),
    sizes: numberArray(events.map((event) => event.bytes)),
    ...separated(events.map((event) => event.message)),
  };
}

type Many = ReturnType<typeof toArrays> & { readonly now: number };

type One = Omit<AppendRequest, 'events'> & NewEvent & { readonly now: number };

function prepare(connection: Connection) {
  return {
    one: prepareOne(connection),
    many: prepareMany(connection),
    retry: prepareRetry(connection),
    forgetTokens: prepareForgetTokens(connection),
  };
}

/** The columns that an append changes in the row of its session. */
function advance(count: RawBuilder<unknown>, bytes: RawBuilder<unknown>, expiresAt: RawBuilder<unknown>, now: number) {
  return sql`
    last_seq = session.last_seq + ${count},
    log_bytes = session.log_bytes + ${bytes},
    ${renewalText(sql`session`, expiresAt, now)}`;
}

function prepareOne(connection: Connection): Statement<One, AppendedRow> {
  return connection.writing(
    (_, { sessionId, token, expiresAt, streamId, message, bytes, now }) => sql<AppendedRow>`
      with appended as (
        update ${table.sessions} as session set ${advance(sql`1`, sql`${bytes}::int4`, sql`${expiresAt}::int8`, now)}
        where id = ${sessionId} and expires_at > ${now}::int8
        returning pk, last_seq, trimmed_seq, log_bytes
      ), remembered as (
        insert into ${table.tokens} (session_pk, token, first_seq, last_seq)
        select pk, ${token}, last_seq, last_seq from appended
      ), added as (
        insert into ${table.events} (session_pk, seq, created_at, bytes, stream_id, message)
        select pk, last_seq, ${now}::int8, ${bytes}::int4, ${streamId}, ${message} from appended
      )
      select 0 as request, last_seq as first_seq, last_seq - trimmed_seq as retained_events,
        log_bytes as retained_bytes
      from appended`,
  );
}

// The rows are sorted before they are locked. The update then sees each row as it is, also if
// others have committed while this statement waited.
function prepareMany(connection: Connection): Statement<Many, AppendedRow> {
  return connection.writing(
    (_, batch) => sql<AppendedRow>`
      with locked as materialized (
        select session.pk, given.request, given.token, given.count, given.bytes,
          nullif(given.renewal, ${sql.lit(NO_RENEWAL)}) as renewal
        from unnest(${batch.indexes}::int4[], ${batch.ids}::text[], ${batch.tokens}::text[],
            ${batch.counts}::int4[], ${batch.sums}::int8[], ${batch.renewals}::int8[])
          as given (request, id, token, count, bytes, renewal)
        join ${table.sessions} as session on session.id = given.id
        where session.expires_at > ${batch.now}::int8
        order by session.id
        for update of session
      ), appended as (
        update ${table.sessions} as session
        set ${advance(sql`locked.count`, sql`locked.bytes`, sql`locked.renewal`, batch.now)}
        from locked where session.pk = locked.pk
        returning session.pk, locked.request, locked.token, session.last_seq - locked.count as before_seq,
          session.last_seq, session.trimmed_seq, session.log_bytes
      ), remembered as (
        insert into ${table.tokens} (session_pk, token, first_seq, last_seq)
        select pk, token, before_seq + 1, last_seq from appended
      ), added as (
        insert into ${table.events} (session_pk, seq, created_at, bytes, stream_id, message)
        select appended.pk, appended.before_seq + event.k, ${batch.now}::int8, event.bytes, event.stream_id,
          event.message
        from rows from (
          unnest(${batch.owners}::int4[], ${batch.offsets}::int4[], ${batch.sizes}::int4[], ${batch.streamIds}::text[]),
          string_to_table(${batch.joined}::text, ${batch.separator}::text)
        ) as event (request, k, bytes, stream_id, message)
        join appended on appended.request = event.request
      )
      select request, before_seq + 1 as first_seq, last_seq - trimmed_seq as retained_events,
        log_bytes as retained_bytes
      from appended`,
  );
}

function prepareRetry(connection: Connection): Statement<Many, AppendedRow> {
  const append_events = sql.id(connection.schema, `${connection.tablePrefix}append_events`);
  return connection.writing(
    (_, batch) => sql<AppendedRow>`
      select (${batch.indexes}::int4[])[n] as request, first_seq, retained_events, retained_bytes
      from ${append_events}(
        ${batch.now}::int8, ${batch.ids}::text[], ${batch.tokens}::text[], ${batch.counts}::int8[],
        ${batch.sums}::int8[],
        array_replace(${batch.renewals}::int8[], ${sql.lit(NO_RENEWAL)}::int8, null),
        ${batch.streamIds}::text[], ${batch.sizes}::int4[],
        string_to_array(${batch.joined}::text, ${batch.separator}::text))`,
  );
}

interface OldTokens {
  readonly sessionId: string;
  readonly throughSeq: number;
  readonly now: number;
}

function prepareForgetTokens(connection: Connection): Statement<OldTokens, unknown> {
  return connection.writing(
    (_, { sessionId, throughSeq, now }) => sql`
      with session as materialized (
        select pk from ${table.sessions} where id = ${sessionId} and expires_at > ${now}::int8 for update
      )
      delete from ${table.tokens} as token using session
      where token.session_pk = session.pk and token.last_seq <= ${throughSeq}::int8`,
  );
}
