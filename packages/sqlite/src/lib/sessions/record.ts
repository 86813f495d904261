import type {
  ChangeResult,
  NewSession,
  PolledHead,
  SessionAsker,
  SessionChange,
  SessionRow,
  TextChange,
} from '@mcp-session/core/backend';
import type { ExpressionBuilder, Selectable } from 'kysely';
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

  update(id: string, { profile, record, expiresAt }: SessionChange, now: number): ChangeResult | undefined {
    const { versions, read, writeProfile, writeRecord } = this.#statements;
    return this.#connection.write(() => {
      const found = versions.get({ id, now });
      if (found === undefined) return undefined;
      const { pk, version } = found;
      const recordVersion = found.record_version ?? 0;
      if (isStale(profile, version) || isStale(record, recordVersion)) {
        const current = read.get({ id, now });
        return current && { status: 'conflict', current: toSession(current) };
      }
      if (profile !== undefined) writeProfile.run({ pk, text: profile.text, version: version + 1 });
      if (record !== undefined) writeRecord.run({ pk, text: record.text, version: recordVersion + 1 });
      this.#sessions.renew(pk, expiresAt, now);
      return { status: 'updated' };
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
    return this.#connection.write(() => {
      if (this.#statements.end.run({ id, purgeAt, now }) === 0) return false;
      this.#statements.endRecord.run({ id });
      return true;
    });
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

interface Written {
  pk: number;
  text: string;
  version: number;
}

function isStale(change: TextChange | undefined, version: number): boolean {
  return change !== undefined && change.expectedVersion !== version;
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
      queries.selectFrom('sessions').select(columnsWithRecord).where(isLive(id, now)),
    ),

    versions: connection.statement((queries, { id, now }: ById) =>
      queries
        .selectFrom('sessions')
        .select((row) => ['pk', 'version', recordVersion(row)])
        .where(isLive(id, now)),
    ),

    // The query compares the principal, so the profile of another user's session is never read.
    readFor: connection.statement((queries, { id, now, kind, principal }: ById & SessionAsker) =>
      queries
        .selectFrom('sessions')
        .select(columnsWithRecord)
        .where(isLive(id, now))
        .where('kind', '=', kind)
        .where((row) => row.or([row('principal', 'is', null), row('principal', '=', principal)])),
    ),

    ...prepareChanges(connection),
  };
}

function prepareChanges(connection: Connection) {
  return {
    writeProfile: connection.statement((queries, { pk, text, version }: Written) =>
      queries.updateTable('sessions').set({ profile: text, version }).where('pk', '=', pk),
    ),

    writeRecord: connection.statement((queries, { pk, text, version }: Written) =>
      queries
        .insertInto('records')
        .values({ session_pk: pk, record: text, record_version: version })
        .onConflict((conflict) => conflict.column('session_pk').doUpdateSet({ record: text, record_version: version })),
    ),

    end: connection.statement((queries, { id, purgeAt, now }: ById & { purgeAt: number }) =>
      queries
        .updateTable('sessions')
        // A tombstone only keeps the id taken. It holds no data of the user.
        .set({ ended_at: now, purge_at: purgeAt, look_at: 0, principal: null, profile: '' })
        .where(isLive(id, now)),
    ),

    endRecord: connection.statement((queries, { id }: { id: string }) =>
      queries
        .deleteFrom('records')
        .where('session_pk', '=', (row) => row.selectFrom('sessions').select('pk').where('id', '=', id)),
    ),
  };
}

const own = [
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

/** The columns that make a {@link SessionRow}, of a session joined with its record. */
export const columns: readonly [...typeof own, 'record', 'record_version'] = [
  ...own,
  'record',
  'record_version',
] as const;

type Row = ExpressionBuilder<Tables, 'sessions'>;

/**
 * The same columns without a join, which SQLite would prepare again before each run (`opaque.ts`).
 */
function columnsWithRecord(row: Row) {
  const record = row.selectFrom('records').select('record').whereRef('session_pk', '=', 'pk').as('record');
  return [...own, record, recordVersion(row)] as const;
}

function recordVersion(row: Row) {
  return row.selectFrom('records').select('record_version').whereRef('session_pk', '=', 'pk').as('record_version');
}

export function toSession(row: Selected): SessionRow {
  return {
    id: row.id,
    kind: row.kind,
    principal: row.principal,
    profile: row.profile,
    version: row.version,
    record: row.record ?? '',
    recordVersion: row.record_version ?? 0,
    createdAt: row.created_at,
    touchedAt: row.touched_at,
    expiresAt: row.expires_at,
    lastSeq: row.last_seq,
  };
}

type Selected = Pick<Selectable<Tables['sessions']>, Exclude<(typeof columns)[number], keyof Tables['records']>> & {
  readonly [K in 'record' | 'record_version']: Tables['records'][K] | null;
};
