import type {
  PolledHead,
  NewSession,
  ProfileChange,
  ProfileResult,
  SessionAsker,
  SessionRow,
} from '@mcp-session/core/backend';
import type { Selectable } from 'kysely';
import type { Connection } from '../connection.ts';
import type { Tables } from '../schema.ts';
import { isLive, type LiveSessions } from './renewal.ts';

/** Creates, reads and changes the record of one session. */
export class SessionRecords {
  readonly #connection: Connection;
  readonly #sessions: LiveSessions;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Connection, sessions: LiveSessions) {
    this.#connection = connection;
    this.#sessions = sessions;
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
      this.#sessions.renew(row.pk, change.expiresAt, now);
      return { status: 'updated', version };
    });
  }

  touch(id: string, expiresAt: number, now: number): boolean {
    return this.#connection.write(() => {
      const session = this.#sessions.findLive(id, now);
      if (session !== undefined) this.#sessions.renew(session.pk, expiresAt, now);
      return session !== undefined;
    });
  }

  end(id: string, purgeAt: number, now: number): boolean {
    return this.#connection.write(() => this.#statements.end.run({ id, purgeAt, now }) === 1);
  }

  readHeads(ids: readonly string[], now: number): ReadonlyMap<string, PolledHead> {
    return this.#connection.read(() => {
      const heads = new Map<string, PolledHead>();
      for (const id of ids) {
        const session = this.#sessions.findLive(id, now);
        if (session !== undefined) heads.set(id, { lastSeq: session.last_seq, expiresAt: session.expires_at });
      }
      return heads;
    });
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

    // The query compares the principal, so the profile of another user's session is never read.
    readFor: connection.statement((queries, { id, now, kind, principal }: ById & SessionAsker) =>
      queries
        .selectFrom('sessions')
        .select(columns)
        .where(isLive(id, now))
        .where('kind', '=', kind)
        .where((row) => row.or([row('principal', 'is', null), row('principal', '=', principal)])),
    ),

    update: connection.statement(
      (queries, { pk, profile, version }: { pk: number; profile: string; version: number }) =>
        queries.updateTable('sessions').set({ profile, version }).where('pk', '=', pk),
    ),

    end: connection.statement((queries, { id, purgeAt, now }: ById & { purgeAt: number }) =>
      queries
        .updateTable('sessions')
        // A tombstone only keeps the id taken. It holds no data of the user.
        .set({ ended_at: now, purge_at: purgeAt, look_at: 0, principal: null, profile: '' })
        .where(isLive(id, now)),
    ),
  };
}

/** The columns that make a {@link SessionRow}. */
export const columns = [
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

export function toSession(row: Pick<Selectable<Tables['sessions']>, (typeof columns)[number]>): SessionRow {
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
