import { exceeds, FORGET_EVERY, passes, REMEMBERED_TRIMS, type TrimBound } from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import type { LiveSession, LiveSessions } from '../sessions/renewal.ts';

/** Trims the logs of sessions. */
export class EventTrimmer {
  readonly #connection: Connection;
  readonly #sessions: LiveSessions;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection, sessions: LiveSessions) {
    this.#connection = connection;
    this.#sessions = sessions;
    this.#statements = prepare(connection);
  }

  trim(sessionId: string, bound: TrimBound, now: number): number | undefined {
    return this.#connection.write(() => {
      const session = this.#sessions.findLive(sessionId, now);
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

  /** Walks the log from its oldest event and stops at the first event that the bound keeps. */
  #choose({ pk, last_seq, trimmed_seq, log_bytes }: LiveSession, bound: TrimBound) {
    const streams = new Map<string, number>();
    let count = 0;
    let bytes = 0;
    for (const event of this.#statements.oldest.iterate({ pk, seq: trimmed_seq, limit: bound.limit })) {
      const left = { events: last_seq - trimmed_seq - count, bytes: log_bytes - bytes };
      if (!exceeds(bound, event, left)) break;
      count++;
      bytes += event.bytes;
      streams.set(event.stream_id, event.seq);
    }
    return { count, bytes, streams };
  }

  /** Forgets the least recently trimmed streams. @returns The greatest number that is forgotten. */
  #forget({ pk, trimmed_seq, forgotten_seq }: LiveSession, seq: number): number {
    if (!passes(FORGET_EVERY, trimmed_seq, seq)) return forgotten_seq;
    const newest = this.#statements.forgettable.get({ pk, remembered: REMEMBERED_TRIMS });
    if (newest === undefined) return forgotten_seq;
    this.#statements.forget.run({ pk, seq: newest.trimmed_seq });
    return newest.trimmed_seq;
  }
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
        .select(['seq', 'stream_id', 'bytes', 'created_at as createdAt'])
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
