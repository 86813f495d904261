import type {
  ChangeResult,
  NewSession,
  PolledHead,
  SessionAsker,
  SessionChange,
  SessionRow,
} from '@mcp-session/core/backend';
import { sql, type ExpressionBuilder, type Selectable } from 'kysely';
import type { Connection } from '../connection.ts';
import { textArray } from '../literals.ts';
import { table, type Int8, type Tables } from '../schema.ts';
import { isLive, renewal } from './renewal.ts';

/** Creates, reads and changes the record of one session. */
export class SessionRecords {
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

  async update(
    id: string,
    { profile, record, expiresAt }: SessionChange,
    now: number,
  ): Promise<ChangeResult | undefined> {
    const [row] = await this.#statements.update({
      id,
      now,
      expiresAt,
      profile: profile?.text,
      version: profile?.expectedVersion,
      record: record?.text,
      recordVersion: record?.expectedVersion,
    });
    if (row === undefined) return undefined;
    const { profile: present, ...others } = row;
    // Only a conflict returns the profile.
    return present === null
      ? { status: 'updated' }
      : { status: 'conflict', current: toSession({ ...others, profile: present }) };
  }

  async touch(id: string, expiresAt: number, now: number): Promise<boolean> {
    const rows = await this.#statements.touch({ id, expiresAt, now });
    return rows.length === 1;
  }

  async end(id: string, purgeAt: number, now: number): Promise<boolean> {
    const rows = await this.#statements.end({ id, purgeAt, now });
    return rows.length === 1;
  }

  async readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, PolledHead>> {
    const rows = await this.#statements.heads({ ids: textArray(ids), now });
    return new Map(rows.map((row) => [row.id, { lastSeq: Number(row.last_seq), expiresAt: Number(row.expires_at) }]));
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

    // The query compares the principal, so the profile of another user's session is never read.
    readFor: connection.reading((queries, asked: ById & SessionAsker) =>
      queries.selectFrom('sessions').select(columns).where(isLive(asked.id, asked.now)).where(isOf(asked)),
    ),

    update: prepareUpdate(connection),

    touch: connection.writing((queries, touch: ById & { readonly expiresAt: number }) =>
      queries
        .updateTable('sessions')
        .set(renewal(table.sessions, sql`${touch.expiresAt}::int8`, touch.now))
        .where(isLive(touch.id, touch.now))
        .returning('pk'),
    ),

    end: connection.writing((queries, { id, purgeAt, now }: ById & { readonly purgeAt: number }) =>
      queries
        .updateTable('sessions')
        // A tombstone only keeps the id taken. It holds no data of the user.
        .set({ ended_at: now, expires_at: 0, purge_at: purgeAt, sweep_at: 0, principal: null, profile: '', record: '' })
        .where(isLive(id, now))
        .returning('pk'),
    ),

    heads: connection.reading(
      (_, { ids, now }: { readonly ids: string; readonly now: number }) =>
        sql<{ id: string; last_seq: Int8; expires_at: Int8 }>`
          select id, last_seq, expires_at from ${table.sessions}
          where id = any(${ids}::text[]) and expires_at > ${now}`,
    ),
  };
}

/** A change with its texts and expected versions; `undefined` leaves a text alone. */
interface Update extends ById {
  readonly expiresAt: number | undefined;
  readonly profile: string | undefined;
  readonly version: number | undefined;
  readonly record: string | undefined;
  readonly recordVersion: number | undefined;
}

// `for update` locks the row and reads it as it is then, so that of two updates which expect
// the same version, the second sees the version that the first has written.
//
// A text that stays is assigned to itself, which keeps its stored value and copies nothing
// (toast_tuple_init in toast_helper.c). It is not sent back either: profiles are large, and the
// record changes with each connection.
function prepareUpdate(connection: Connection) {
  return connection.writing((queries, change: Update) => {
    const { id, now, profile, version, record, recordVersion } = change;
    return queries
      .with('found', (cte) => cte.selectFrom('sessions').select(columns).where(isLive(id, now)).forUpdate())
      .with('changed', (cte) =>
        cte
          .updateTable('sessions')
          .from('found')
          .set({
            profile: sql<string>`coalesce(${profile}::text, ${table.sessions}.profile)`,
            version: sql<number>`found.version + (${version}::int8 is not null)::int4`,
            record: sql<string>`coalesce(${record}::text, ${table.sessions}.record)`,
            record_version: sql<number>`found.record_version + (${recordVersion}::int8 is not null)::int4`,
            ...renewal(table.sessions, sql`${change.expiresAt}::int8`, now),
          })
          .whereRef('sessions.pk', '=', 'found.pk')
          .where(sql<boolean>`found.version = coalesce(${version}::int8, found.version)`)
          .where(sql<boolean>`found.record_version = coalesce(${recordVersion}::int8, found.record_version)`)
          .returning('sessions.pk'),
      )
      .selectFrom('found')
      .leftJoin('changed', 'changed.pk', 'found.pk')
      .select(['found.id', 'found.kind', 'found.principal', 'found.version', 'found.record', 'found.record_version'])
      .select(['found.created_at', 'found.touched_at', 'found.expires_at', 'found.last_seq'])
      .select(sql<string | null>`case when changed.pk is null then found.profile end`.as('profile'));
  });
}

/** The columns that make a {@link SessionRow}. */
export const columns = [
  'sessions.pk',
  'sessions.id',
  'sessions.kind',
  'sessions.principal',
  'sessions.profile',
  'sessions.version',
  'sessions.record',
  'sessions.record_version',
  'sessions.created_at',
  'sessions.touched_at',
  'sessions.expires_at',
  'sessions.last_seq',
] as const;

function isOf({ kind, principal }: SessionAsker) {
  return (row: ExpressionBuilder<Tables, 'sessions'>) =>
    row.and([row('kind', '=', kind), row.or([row('principal', 'is', null), row('principal', '=', principal)])]);
}

export function toSession(row: Selected): SessionRow {
  return {
    id: row.id,
    kind: row.kind,
    principal: row.principal,
    profile: row.profile,
    version: Number(row.version),
    record: row.record,
    recordVersion: Number(row.record_version),
    createdAt: Number(row.created_at),
    touchedAt: Number(row.touched_at),
    expiresAt: Number(row.expires_at),
    lastSeq: Number(row.last_seq),
  };
}

type Selected = Pick<
  Selectable<Tables['sessions']>,
  | 'id'
  | 'kind'
  | 'principal'
  | 'profile'
  | 'version'
  | 'record'
  | 'record_version'
  | 'created_at'
  | 'touched_at'
  | 'expires_at'
  | 'last_seq'
>;
