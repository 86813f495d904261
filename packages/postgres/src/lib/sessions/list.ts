import {
  takeSessions,
  type ListedRow,
  type SessionPage,
  type SessionPageQuery,
  type SessionQuery,
} from '@mcp-session/core/backend';
import type { Selectable } from 'kysely';
import type { Connection } from '../connection.ts';
import type { Int8, Tables } from '../schema.ts';
import { columns, toSession } from './record.ts';

/** Lists and counts live sessions. */
export class SessionList {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
  }

  async list({ kind, principal, afterId = '', limit }: SessionPageQuery, now: number): Promise<SessionPage> {
    const found = await this.#of(principal).page({ kind, principal, afterId, limit: limit + 1 });
    const page = takeSessions(found, limit);
    // Expired sessions are dropped here, not in the query. A page then costs the same however many
    // sessions wait for a sweep.
    return { ...page, rows: page.rows.filter((row) => Number(row.expires_at) > now).map(toListed) };
  }

  async count({ kind, principal }: SessionQuery, now: number): Promise<number> {
    const [row] = await this.#of(principal).count({ kind, principal, now });
    return Number(row?.count);
  }

  async countKinds(now: number): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#statements.kinds({ now });
    return new Map(rows.map(({ kind, count }) => [kind, Number(count)]));
  }

  #of(principal: SessionQuery['principal']) {
    if (principal === undefined) return this.#statements.anyPrincipal;
    return principal === null ? this.#statements.noPrincipal : this.#statements.onePrincipal;
  }
}

/** The columns that make the counts of a session. No event is missing in the middle of a log. */
const counters = ['sessions.trimmed_seq', 'sessions.state_keys'] as const;

type Counted = Parameters<typeof toSession>[0] & Pick<Selectable<Tables['sessions']>, 'trimmed_seq' | 'state_keys'>;

function toListed(row: Counted): ListedRow {
  const events = Number(row.last_seq) - Number(row.trimmed_seq);
  return { ...toSession(row), counts: { events, stateKeys: Number(row.state_keys) } };
}

interface Filter {
  readonly kind: string;
  readonly principal: string | null | undefined;
}

// Three queries, because the planner uses no index for `is not distinct from`.
function prepare(connection: Connection) {
  return {
    anyPrincipal: prepareListing(connection, 'any'),
    onePrincipal: prepareListing(connection, 'one'),
    noPrincipal: prepareListing(connection, 'none'),
    kinds: connection.reading((queries, { now }: { readonly now: number }) =>
      queries
        .selectFrom('sessions')
        .select((row) => ['kind', row.fn.countAll<Int8>().as('count')])
        .where('ended_at', 'is', null)
        .where('expires_at', '>', now)
        .groupBy('kind'),
    ),
  };
}

function prepareListing(connection: Connection, whose: 'any' | 'one' | 'none') {
  return {
    page: connection.reading(
      (queries, { kind, principal, afterId, limit }: Filter & { readonly afterId: string; readonly limit: number }) =>
        queries
          .selectFrom('sessions')
          .select([...columns, ...counters])
          .where('kind', '=', kind)
          .$if(whose === 'one', (query) => query.where('principal', '=', principal ?? ''))
          .$if(whose === 'none', (query) => query.where('principal', 'is', null))
          .where('ended_at', 'is', null)
          .where('id', '>', afterId)
          .orderBy('id')
          .limit(limit),
    ),

    count: connection.reading((queries, { kind, principal, now }: Filter & { readonly now: number }) =>
      queries
        .selectFrom('sessions')
        .select((row) => row.fn.countAll<Int8>().as('count'))
        .where('kind', '=', kind)
        .$if(whose === 'one', (query) => query.where('principal', '=', principal ?? ''))
        .$if(whose === 'none', (query) => query.where('principal', 'is', null))
        .where('ended_at', 'is', null)
        .where('expires_at', '>', now),
    ),
  };
}
