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
import type { Selectable } from 'kysely';
import type { Connection } from '../connection.ts';
import { isLive, renewal, type Renewal } from './renewal.ts';
import type { Tables } from '../schema.ts';

/** What a live session's record says, for the operations on its state and events. */
export interface LiveSession {
  readonly pk: number;
  readonly expires_at: number;
  readonly last_seq: number;
  readonly trimmed_seq: number;
  readonly forgotten_seq: number;
  readonly log_bytes: number;
  readonly state_version: number;
  readonly state_keys: number;
  readonly state_bytes: number;
}

/** The operations on sessions' records. */
export class Sessions {
  readonly #connection: Connection;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#statements = prepare(connection);
  }

  create(session: NewSession, now: number): boolean {
    return this.#connection.write(() => this.#statements.insert.run({ ...session, now }) === 1);
  }

  read(id: string, now: number, asker?: SessionAsker): SessionRow | undefined {
    const { read, readFor } = this.#statements;
    const row = asker === undefined ? read.get({ id, now }) : readFor.get({ id, now, ...asker });
    return row && toSession(row);
  }

  update(id: string, change: ProfileChange, now: number): ProfileResult | undefined {
    return this.#connection.write(() => {
      const row = this.#statements.read.get({ id, now });
      if (row === undefined) return undefined;
      if (row.version !== change.expectedVersion) return { status: 'conflict', current: toSession(row) };
      const version = row.version + 1;
      this.#statements.update.run({ pk: row.pk, profile: change.profile, version });
      this.renew(row.pk, change.expiresAt, now);
      return { status: 'updated', version };
    });
  }

  touch(id: string, expiresAt: number, now: number): boolean {
    return this.#connection.write(() => {
      const session = this.live(id, now);
      if (session !== undefined) this.renew(session.pk, expiresAt, now);
      return session !== undefined;
    });
  }

  end(id: string, purgeAt: number, now: number): boolean {
    return this.#connection.write(() => this.#statements.end.run({ id, purgeAt, now }) === 1);
  }

  list({ kind, principal, afterId = '', limit }: SessionPageQuery, now: number): SessionPage {
    const found = this.#listing(principal).page.all({ kind, principal: principal ?? null, afterId, limit: limit + 1 });
    const page = found.slice(0, limit);
    const more = found.length > limit;
    // Expired ones are left out here rather than in the query: a page then costs the same however many wait for a sweep.
    const rows = page.filter((row) => row.expires_at > now).map(toSession);
    return { rows, more, nextAfterId: more ? page.at(-1)?.id : undefined };
  }

  count({ kind, principal }: SessionQuery, now: number): number {
    return this.#listing(principal).count.get({ kind, principal: principal ?? null, now })?.count ?? 0;
  }

  readHeads(ids: readonly string[], now: number): ReadonlyMap<string, PolledHead> {
    return this.#connection.read(() => {
      const heads = new Map<string, PolledHead>();
      for (const id of ids) {
        const session = this.live(id, now);
        if (session !== undefined) heads.set(id, { lastSeq: session.last_seq, expiresAt: session.expires_at });
      }
      return heads;
    });
  }

  /** Finds a live session. To be called inside a transaction. */
  live(id: string, now: number): LiveSession | undefined {
    return this.#statements.live.get({ id, now });
  }

  /** Renews a session that was found to be live in the same transaction; with `undefined` it does nothing. */
  renew(pk: number, expiresAt: number | undefined, now: number): void {
    if (expiresAt !== undefined) this.#statements.renew.run({ pk, expiresAt, now });
  }

  #listing(principal: SessionQuery['principal']) {
    return principal === undefined ? this.#statements.anyones : this.#statements.principals;
  }
}

interface ById {
  id: string;
  now: number;
}

function prepare(connection: Connection) {
  return {
    insert: connection.statement((queries, session: NewSession & ById) =>
      queries
        .insertInto('sessions')
        .values({
          id: session.id,
          kind: session.kind,
          principal: session.principal,
          created_at: session.now,
          touched_at: session.now,
          expires_at: session.expiresAt,
          look_at: session.expiresAt,
          profile: session.profile,
        })
        .onConflict((conflict) => conflict.column('id').doNothing()),
    ),

    read: connection.statement((queries, { id, now }: ById) =>
      queries.selectFrom('sessions').select(columns).where(isLive(id, now)),
    ),

    // Compared here, so that the profile of somebody else's session is not even read.
    readFor: connection.statement((queries, { id, now, kind, principal }: ById & SessionAsker) =>
      queries
        .selectFrom('sessions')
        .select(columns)
        .where(isLive(id, now))
        .where('kind', '=', kind)
        .where((row) => row.or([row('principal', 'is', null), row('principal', '=', principal)])),
    ),

    live: connection.statement((queries, { id, now }: ById) =>
      queries
        .selectFrom('sessions')
        .select(['pk', 'expires_at', 'last_seq', 'trimmed_seq', 'forgotten_seq', 'log_bytes'])
        .select(['state_version', 'state_keys', 'state_bytes'])
        .where(isLive(id, now)),
    ),

    update: connection.statement(
      (queries, { pk, profile, version }: { pk: number; profile: string; version: number }) =>
        queries.updateTable('sessions').set({ profile, version }).where('pk', '=', pk),
    ),

    renew: connection.statement((queries, times: Renewal & { pk: number }) =>
      queries.updateTable('sessions').set(renewal(times)).where('pk', '=', times.pk),
    ),

    end: connection.statement((queries, { id, purgeAt, now }: ById & { purgeAt: number }) =>
      queries
        .updateTable('sessions')
        // A tombstone only keeps the id taken: what is known of its user goes at once.
        .set({ ended_at: now, purge_at: purgeAt, look_at: 0, principal: null, profile: '' })
        .where(isLive(id, now)),
    ),

    anyones: prepareListing(connection, false),
    principals: prepareListing(connection, true),
  };
}

interface Filter {
  kind: string;
  principal: string | null;
}

function prepareListing(connection: Connection, byPrincipal: boolean) {
  return {
    page: connection.statement(
      (queries, { kind, principal, afterId, limit }: Filter & { afterId: string; limit: number }) =>
        queries
          .selectFrom('sessions')
          .select(columns)
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

const columns = [
  'pk',
  'id',
  'kind',
  'principal',
  'profile',
  'version',
  'created_at',
  'touched_at',
  'expires_at',
  'last_seq',
] as const;

function toSession(row: Pick<Selectable<Tables['sessions']>, (typeof columns)[number]>): SessionRow {
  return {
    id: row.id,
    kind: row.kind,
    principal: row.principal,
    profile: row.profile,
    version: row.version,
    createdAt: row.created_at,
    touchedAt: row.touched_at,
    expiresAt: row.expires_at,
    lastSeq: row.last_seq,
  };
}
