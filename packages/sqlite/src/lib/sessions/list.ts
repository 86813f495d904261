import {
  takeSessions,
  type ListedRow,
  type SessionPage,
  type SessionPageQuery,
  type SessionQuery,
} from '@mcp-session/core/backend';
import type { Selectable } from 'kysely';
import type { Connection } from '../connection.ts';
import type { Tables } from '../schema.ts';
import { columns, toSession } from './record.ts';

/** Lists and counts live sessions. */
export class SessionList {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
  }

  list({ kind, principal, afterId = '', limit }: SessionPageQuery, now: number): SessionPage {
    const found = this.#of(principal).page.all({ kind, principal: principal ?? null, afterId, limit: limit + 1 });
    const page = takeSessions(found, limit);
    // Expired sessions are dropped here, not in the query. A page then costs the same however many
    // sessions wait for a sweep.
    return { ...page, rows: page.rows.filter((row) => row.expires_at > now).map(toListed) };
  }

  count({ kind, principal }: SessionQuery, now: number): number {
    return this.#of(principal).count.get({ kind, principal: principal ?? null, now })?.count ?? 0;
  }

  countKinds(now: number): ReadonlyMap<string, number> {
    return new Map(this.#statements.kinds.all({ now }).map(({ kind, count }) => [kind, count]));
  }

  #of(principal: SessionQuery['principal']) {
    return principal === undefined ? this.#statements.anyPrincipal : this.#statements.onePrincipal;
  }
}

/** The columns that make the counts of a session. No event is missing in the middle of a log. */
const counters = ['trimmed_seq', 'state_keys'] as const;

type Counted = Parameters<typeof toSession>[0] & Pick<Selectable<Tables['sessions']>, (typeof counters)[number]>;

function toListed(row: Counted): ListedRow {
  return { ...toSession(row), counts: { events: row.last_seq - row.trimmed_seq, stateKeys: row.state_keys } };
}

interface Filter {
  kind: string;
  principal: string | null;
}

function prepare(connection: Connection) {
  return {
    anyPrincipal: prepareListing(connection, false),
    onePrincipal: prepareListing(connection, true),
    kinds: connection.statement((queries, { now }: { now: number }) =>
      queries
        .selectFrom('sessions')
        .select((row) => ['kind', row.fn.countAll<number>().as('count')])
        .where('ended_at', 'is', null)
        .where('expires_at', '>', now)
        .groupBy('kind'),
    ),
  };
}

function prepareListing(connection: Connection, byPrincipal: boolean) {
  return {
    page: connection.statement(
      (queries, { kind, principal, afterId, limit }: Filter & { afterId: string; limit: number }) =>
        queries
          .selectFrom('sessions')
          .leftJoin('records', 'session_pk', 'pk')
          .select([...columns, ...counters])
          .where('kind', '=', kind)
          .$if(byPrincipal, (query) => query.where('principal', 'is', principal))
          .where('ended_at', 'is', null)
          .where('id', '>', afterId)
          .orderBy('id')
          .limit(limit),
    ),

    count: connection.statement((queries, { kind, principal, now }: Filter & { now: number }) =>
      queries
        .selectFrom('sessions')
        .select((row) => row.fn.countAll<number>().as('count'))
        .where('kind', '=', kind)
        .$if(byPrincipal, (query) => query.where('principal', 'is', principal))
        .where('ended_at', 'is', null)
        .where('expires_at', '>', now),
    ),
  };
}
