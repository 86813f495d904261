import type { TrimBound } from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import type { LiveSession, Sessions } from '../sessions/record.ts';

/** Streams of a session whose trims are remembered at least. */
const REMEMBERED_STREAMS = 10_000;
/** How many events are trimmed between two looks at what can be forgotten: at the most so many streams more are remembered. */
const FORGET_EVERY = 1_000;

/** Trims sessions' logs. */
export class Trims {
  readonly #connection: Connection;
  readonly #sessions: Sessions;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection, sessions: Sessions) {
    this.#connection = connection;
    this.#sessions = sessions;
    this.#statements = prepare(connection);
  }

  trim(sessionId: string, bound: TrimBound, now: number): number | undefined {
    return this.#connection.write(() => {
      const session = this.#sessions.live(sessionId, now);
      if (session === undefined) return undefined;
      const { count, bytes, streams } = this.#choose(session, bound);
      if (count === 0) return 0;
      const { pk } = session;
      const seq = session.trimmed_seq + count;
      for (const [streamId, trimmedSeq] of streams) this.#statements.remember.run({ pk, streamId, trimmedSeq });
      this.#statements.remove.run({ pk, seq });
      const forgottenSeq = this.#forget(session, seq);
      this.#statements.setTrimmed.run({ pk, seq, bytes: session.log_bytes - bytes, forgottenSeq });
      return count;
    });
  }

  /** Walks the log from its oldest event for as long as a bound is exceeded by what would remain. */
  #choose(session: LiveSession, bound: TrimBound) {
    const streams = new Map<string, number>();
    let count = 0;
    let bytes = 0;
    for (const event of this.#statements.oldest.iterate({
      pk: session.pk,
      seq: session.trimmed_seq,
      limit: bound.limit,
    })) {
      const events = session.last_seq - session.trimmed_seq - count;
      if (!exceeds(bound, event, events, session.log_bytes - bytes)) break;
      count++;
      bytes += event.bytes;
      streams.set(event.stream_id, event.seq);
    }
    return { count, bytes, streams };
  }

  /** Forgets the streams that were trimmed longest ago and returns the greatest number that is forgotten. */
  #forget({ pk, trimmed_seq, forgotten_seq }: LiveSession, seq: number): number {
    if (Math.floor(seq / FORGET_EVERY) === Math.floor(trimmed_seq / FORGET_EVERY)) return forgotten_seq;
    const newest = this.#statements.forgettable.get({ pk, remembered: REMEMBERED_STREAMS });
    if (newest === undefined) return forgotten_seq;
    this.#statements.forget.run({ pk, seq: newest.trimmed_seq });
    return newest.trimmed_seq;
  }
}

function exceeds(
  bound: TrimBound,
  oldest: { readonly seq: number; readonly created_at: number },
  events: number,
  bytes: number,
): boolean {
  return (
    (bound.maxEvents !== undefined && events > bound.maxEvents) ||
    (bound.maxBytes !== undefined && bytes > bound.maxBytes) ||
    (bound.createdBefore !== undefined && oldest.created_at < bound.createdBefore) ||
    (bound.throughSeq !== undefined && oldest.seq <= bound.throughSeq)
  );
}

interface BySeq {
  pk: number;
  seq: number;
}

function prepare(connection: Connection) {
  return {
    oldest: connection.statement((queries, { pk, seq, limit }: BySeq & { limit: number }) =>
      queries
        .selectFrom('events')
        .select(['seq', 'stream_id', 'bytes', 'created_at'])
        .where('session_pk', '=', pk)
        .where('seq', '>', seq)
        .orderBy('seq')
        .limit(limit),
    ),

    remove: connection.statement((queries, { pk, seq }: BySeq) =>
      queries.deleteFrom('events').where('session_pk', '=', pk).where('seq', '<=', seq),
    ),

    remember: connection.statement((queries, trim: { pk: number; streamId: string; trimmedSeq: number }) =>
      queries
        .insertInto('trims')
        .values({ session_pk: trim.pk, stream_id: trim.streamId, trimmed_seq: trim.trimmedSeq })
        .onConflict((conflict) =>
          conflict
            .columns(['session_pk', 'stream_id'])
            .doUpdateSet((row) => ({ trimmed_seq: row.ref('excluded.trimmed_seq') })),
        ),
    ),

    forgettable: connection.statement((queries, { pk, remembered }: { pk: number; remembered: number }) =>
      queries
        .selectFrom('trims')
        .select('trimmed_seq')
        .where('session_pk', '=', pk)
        .orderBy('trimmed_seq', 'desc')
        .limit(1)
        .offset(remembered),
    ),

    forget: connection.statement((queries, { pk, seq }: BySeq) =>
      queries.deleteFrom('trims').where('session_pk', '=', pk).where('trimmed_seq', '<=', seq),
    ),

    setTrimmed: connection.statement(
      (queries, { pk, seq, bytes, forgottenSeq }: BySeq & { bytes: number; forgottenSeq: number }) =>
        queries
          .updateTable('sessions')
          .set({ trimmed_seq: seq, log_bytes: bytes, forgotten_seq: forgottenSeq })
          .where('pk', '=', pk),
    ),
  };
}
