import type {
  NewSession,
  PolledHead,
  ProfileChange,
  ProfileResult,
  SessionAsker,
  SessionPage,
  SessionPageQuery,
  SessionQuery,
  SessionRow,
} from '@mcp-session/core/backend';
import { sql, type ExpressionBuilder, type RawBuilder, type Selectable } from 'kysely';
import type { Connection } from '../connection.ts';
import { textArray } from '../literals.ts';
import { table, type Int8, type Tables } from '../schema.ts';

/** The operations on sessions' records. */
export class Sessions {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#statements = prepare(connection);
  }

  async create(session: NewSession, now: number): Promise<boolean> {
    const rows = await this.#statements.insert({ ...session, now });
    return rows.length === 1;
  }

  async read(id: string, now: number, asker?: SessionAsker): Promise<SessionRow | undefined> {
    const { read, readFor } = this.#statements;
    const [row] = await (asker === undefined ? read({ id, now }) : readFor({ id, now, ...asker }));
    return row && toSession(row);
  }

  async update(id: string, change: ProfileChange, now: number): Promise<ProfileResult | undefined> {
    const [row] = await this.#statements.update({ id, now, ...change });
    if (row === undefined) return undefined;
    if (row.updated === null) return { status: 'conflict', current: toSession(row) };
    return { status: 'updated', version: Number(row.updated) };
  }

  async touch(id: string, expiresAt: number, now: number): Promise<boolean> {
    const rows = await this.#statements.touch({ id, expiresAt, now });
    return rows.length === 1;
  }

  async end(id: string, purgeAt: number, now: number): Promise<boolean> {
    const rows = await this.#statements.end({ id, purgeAt, now });
    return rows.length === 1;
  }

  async list({ kind, principal, afterId = '', limit }: SessionPageQuery, now: number): Promise<SessionPage> {
    const found = await this.#listing(principal).page({ kind, principal, afterId, limit: limit + 1 });
    const page = found.slice(0, limit);
    const more = found.length > limit;
    // Expired ones are left out here rather than in the query: a page then costs the same however many wait for a sweep.
    const rows = page.filter((row) => Number(row.expires_at) > now).map(toSession);
    return { rows, more, nextAfterId: more ? page.at(-1)?.id : undefined };
  }

  async count({ kind, principal }: SessionQuery, now: number): Promise<number> {
    const [row] = await this.#listing(principal).count({ kind, principal, now });
    return Number(row?.count);
  }

  async readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, PolledHead>> {
    const rows = await this.#statements.heads({ ids: textArray(ids), now });
    return new Map(rows.map((row) => [row.id, { lastSeq: Number(row.last_seq), expiresAt: Number(row.expires_at) }]));
  }

  #listing(principal: SessionQuery['principal']) {
    if (principal === undefined) return this.#statements.anyones;
    return principal === null ? this.#statements.nobodys : this.#statements.principals;
  }
}

function recordOf({ id, kind, principal, profile, expiresAt, now }: NewSession & ById) {
  const created = { created_at: now, touched_at: now, expires_at: expiresAt, sweep_at: expiresAt };
  return { id, kind, principal, profile, ...created };
}

interface ById {
  readonly id: string;
  readonly now: number;
}

function prepare(connection: Connection) {
  return {
    insert: connection.writing((queries, session: NewSession & ById) =>
      queries
        .insertInto('sessions')
        .values(recordOf(session))
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returning('pk'),
    ),

    read: connection.reading((queries, { id, now }: ById) =>
      queries.selectFrom('sessions').select(columns).where(isLive(id, now)),
    ),

    // Compared here, so that the profile of somebody else's session is not even read.
    readFor: connection.reading((queries, asked: ById & SessionAsker) =>
      queries.selectFrom('sessions').select(columns).where(isLive(asked.id, asked.now)).where(isOf(asked)),
    ),

    // The lock comes first, and with it the row as it is then: of two updates that expect the same version, the second sees what the first one wrote.
    update: connection.writing((queries, change: ById & ProfileChange) =>
      queries
        .with('found', (cte) =>
          cte.selectFrom('sessions').select(columns).where(isLive(change.id, change.now)).forUpdate(),
        )
        .with('changed', (cte) =>
          cte
            .updateTable('sessions')
            .from('found')
            .set({ profile: change.profile, version: sql`found.version + 1`, ...renewal(change) })
            .whereRef('sessions.pk', '=', 'found.pk')
            .where('found.version', '=', change.expectedVersion)
            .returning('sessions.version'),
        )
        .selectFrom('found')
        .selectAll()
        .select((row) => row.selectFrom('changed').select('version').as('updated')),
    ),

    touch: connection.writing((queries, touch: ById & { readonly expiresAt: number }) =>
      queries.updateTable('sessions').set(renewal(touch)).where(isLive(touch.id, touch.now)).returning('pk'),
    ),

    end: connection.writing((queries, { id, purgeAt, now }: ById & { readonly purgeAt: number }) =>
      queries
        .updateTable('sessions')
        // Profile and principal go at once: a tombstone keeps the id taken, and nothing of its user.
        .set({ ended_at: now, expires_at: 0, purge_at: purgeAt, sweep_at: 0, principal: null, profile: '' })
        .where(isLive(id, now))
        .returning('pk'),
    ),

    heads: connection.reading(
      (_, { ids, now }: { readonly ids: string; readonly now: number }) =>
        sql<{ id: string; last_seq: Int8; expires_at: Int8 }>`
          select id, last_seq, expires_at from ${table.sessions}
          where id = any(${ids}::text[]) and expires_at > ${now}`,
    ),

    anyones: prepareListing(connection, 'anyone'),
    principals: prepareListing(connection, 'principal'),
    nobodys: prepareListing(connection, 'nobody'),
  };
}

interface Filter {
  readonly kind: string;
  readonly principal: string | null | undefined;
}

// One query for each, since the planner does not look for `is not distinct from` in an index.
function prepareListing(connection: Connection, whose: 'anyone' | 'principal' | 'nobody') {
  return {
    page: connection.reading(
      (queries, { kind, principal, afterId, limit }: Filter & { readonly afterId: string; readonly limit: number }) =>
        queries
          .selectFrom('sessions')
          .select(columns)
          .where('kind', '=', kind)
          .$if(whose === 'principal', (query) => query.where('principal', '=', principal ?? ''))
          .$if(whose === 'nobody', (query) => query.where('principal', 'is', null))
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
        .$if(whose === 'principal', (query) => query.where('principal', '=', principal ?? ''))
        .$if(whose === 'nobody', (query) => query.where('principal', 'is', null))
        .where('ended_at', 'is', null)
        .where('expires_at', '>', now),
    ),
  };
}

const columns = [
  'sessions.pk',
  'sessions.id',
  'sessions.kind',
  'sessions.principal',
  'sessions.profile',
  'sessions.version',
  'sessions.created_at',
  'sessions.touched_at',
  'sessions.expires_at',
  'sessions.last_seq',
] as const;

function isLive(id: string, now: number) {
  return (row: ExpressionBuilder<Tables, 'sessions'>) => row.and([row('id', '=', id), row('expires_at', '>', now)]);
}

function isOf({ kind, principal }: SessionAsker) {
  return (row: ExpressionBuilder<Tables, 'sessions'>) =>
    row.and([row('kind', '=', kind), row.or([row('principal', 'is', null), row('principal', '=', principal)])]);
}

/** What a write that may renew its session sets. `greatest` passes over null, which stands for no renewal. */
function renewal({ expiresAt, now }: { readonly expiresAt: number | undefined; readonly now: number }): {
  readonly expires_at: RawBuilder<number>;
  readonly touched_at: RawBuilder<number>;
} {
  const { sessions } = table;
  return {
    expires_at: sql`greatest(${sessions}.expires_at, ${expiresAt}::int8)`,
    touched_at: sql`case when ${expiresAt}::int8 is null then ${sessions}.touched_at else greatest(${sessions}.touched_at, ${now}) end`,
  };
}

function toSession(row: Selected): SessionRow {
  return {
    id: row.id,
    kind: row.kind,
    principal: row.principal,
    profile: row.profile,
    version: Number(row.version),
    createdAt: Number(row.created_at),
    touchedAt: Number(row.touched_at),
    expiresAt: Number(row.expires_at),
    lastSeq: Number(row.last_seq),
  };
}

type Selected = Pick<
  Selectable<Tables['sessions']>,
  'id' | 'kind' | 'principal' | 'profile' | 'version' | 'created_at' | 'touched_at' | 'expires_at' | 'last_seq'
>;
