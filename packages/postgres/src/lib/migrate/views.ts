import { sql } from 'kysely';
import type { Connection } from '../connection.ts';
import { placeOf } from '../literals.ts';
import { table } from '../schema.ts';
import { grantAsOnSessions, raw, type Compilable } from './tables.ts';

/**
 * Views for people who look with psql: times as times, keys as text, sessions by their ids. A
 * reader needs the right to read the tables too, because the views run with the rights of who asks.
 * Nothing in this package reads them.
 */
export function readableViews(connection: Connection): readonly Compilable[] {
  const create = (name: string, select: string, from: string) =>
    raw(
      connection,
      sql`create or replace view ${sql.raw(placeOf(connection, name))} with (security_invoker = true) as
        select ${sql.raw(select)} from ${sql.raw(placeOf(connection, from))} as own
        ${from === 'sessions' ? sql`` : sql`join ${table.sessions} as session on session.pk = own.session_pk`}`,
    );
  const views = {
    readable_sessions: create('readable_sessions', SESSION, 'sessions'),
    readable_state: create('readable_state', STATE, 'state'),
    readable_events: create('readable_events', EVENT, 'events'),
  };
  return [...Object.values(views), ...Object.keys(views).map((name) => grantAsOnSessions(connection, name))];
}

const SESSION = `own.id, own.kind, own.principal,
  own.ended_at is null and own.expires_at > extract(epoch from clock_timestamp()) * 1000 as is_live,
  to_timestamp(own.created_at / 1000.0) as created_at, to_timestamp(own.touched_at / 1000.0) as last_active_at,
  case when own.ended_at is null then to_timestamp(own.expires_at / 1000.0) end as expires_at,
  to_timestamp(own.ended_at / 1000.0) as ended_at, own.last_seq, own.last_seq - own.trimmed_seq as events,
  own.log_bytes as event_bytes, own.state_keys, own.state_bytes, own.profile`;

// PostgreSQL has no text with U+0000, so a key that holds it is shown escaped.
const STATE = `session.id as session_id,
  case when position(decode('00', 'hex') in own.key) > 0 then encode(own.key, 'escape')
    else convert_from(own.key, 'UTF8') end as key,
  own.version, own.bytes, own.value`;

const EVENT = `session.id as session_id, own.seq, own.stream_id, to_timestamp(own.created_at / 1000.0) as created_at,
  own.bytes, own.message`;
