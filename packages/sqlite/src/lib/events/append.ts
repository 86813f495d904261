import {
  FORGET_EVERY,
  passes,
  REMEMBERED_TOKENS,
  type AppendRequest,
  type AppendResult,
  type NewEvent,
} from '@mcp-session/core/backend';
import type { Connection } from '../connection.ts';
import { renewal, type LiveSessions, type Renewal } from '../sessions/renewal.ts';

/** Appends events to the logs of sessions. */
export class EventAppender {
  readonly #connection: Connection;
  readonly #sessions: LiveSessions;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection, sessions: LiveSessions) {
    this.#connection = connection;
    this.#sessions = sessions;
    this.#statements = prepare(connection);
  }

  // SQLite has no writing CTE, so several statements share one transaction. It holds the only write
  // lock of the database, so the commit order is the sequence order in every process.
  append(batch: readonly AppendRequest[], now: number): readonly (AppendResult | undefined)[] {
    return this.#connection.write(() => batch.map((request) => this.#appendOne(request, now)));
  }

  #appendOne({ sessionId, token, events, expiresAt }: AppendRequest, now: number): AppendResult | undefined {
    const session = this.#sessions.findLive(sessionId, now);
    if (session === undefined) return undefined;
    const { pk, last_seq, trimmed_seq, log_bytes } = session;
    const known = this.#statements.findToken.get({ pk, token });
    if (known !== undefined) {
      this.#sessions.renew(pk, expiresAt, now);
      return { firstSeq: known.first_seq, retainedEvents: last_seq - trimmed_seq, retainedBytes: log_bytes };
    }

    const firstSeq = last_seq + 1;
    const lastSeq = last_seq + events.length;
    const bytes = events.reduce((sum, event) => sum + event.bytes, log_bytes);
    for (const [index, event] of events.entries()) {
      this.#statements.insert.run({ ...event, pk, seq: firstSeq + index, now });
    }
    this.#statements.setHead.run({ pk, lastSeq, bytes, expiresAt: expiresAt ?? null, now });
    this.#statements.rememberToken.run({ pk, token, firstSeq, lastSeq });
    if (passes(FORGET_EVERY, last_seq, lastSeq)) {
      this.#statements.forgetTokens.run({ pk, seq: lastSeq - REMEMBERED_TOKENS });
    }
    return { firstSeq, retainedEvents: lastSeq - trimmed_seq, retainedBytes: bytes };
  }
}

function prepare(connection: Connection) {
  return {
    findToken: connection.statement((queries, { pk, token }: { pk: number; token: string }) =>
      queries.selectFrom('tokens').select('first_seq').where('session_pk', '=', pk).where('token', '=', token),
    ),

    insert: connection.statement((queries, row: NewEvent & { pk: number; seq: number; now: number }) =>
      queries.insertInto('events').values({
        session_pk: row.pk,
        seq: row.seq,
        stream_id: row.streamId,
        created_at: row.now,
        bytes: row.bytes,
        message: row.message,
      }),
    ),

    setHead: connection.statement((queries, head: Renewal & { pk: number; lastSeq: number; bytes: number }) =>
      queries
        .updateTable('sessions')
        .set({ last_seq: head.lastSeq, log_bytes: head.bytes, ...renewal(head) })
        .where('pk', '=', head.pk),
    ),

    rememberToken: connection.statement(
      (queries, row: { pk: number; token: string; firstSeq: number; lastSeq: number }) =>
        queries
          .insertInto('tokens')
          .values({ session_pk: row.pk, token: row.token, first_seq: row.firstSeq, last_seq: row.lastSeq }),
    ),

    // Reads at most two thousand tokens once per thousand events. That costs less than an index
    // that every append would write.
    forgetTokens: connection.statement((queries, { pk, seq }: { pk: number; seq: number }) =>
      queries.deleteFrom('tokens').where('session_pk', '=', pk).where('last_seq', '<=', seq),
    ),
  };
}
