import { newRow } from '../contract/new-row.ts';
import { takeSessions } from '../contract/paging.ts';
import type {
  ChangeResult,
  ListedRow,
  NewSession,
  SessionAsker,
  SessionChange,
  SessionPage,
  SessionPageQuery,
  SessionQuery,
  SessionRow,
  SweepResult,
  TextChange,
} from '../contract/rows.ts';
import {
  eventBytes,
  isLive,
  renew,
  sessionBytes,
  stateBytes,
  trimmedBytes,
  type MemorySession,
  type Records,
} from './records.ts';
import { reserveFor } from './trim.ts';

export function createSession(records: Records, session: NewSession, now: number): boolean {
  if (records.sessions.has(session.id) || records.tombstones.has(session.id)) return false;
  records.reserveSession(now);
  const row = newRow(session, now);
  records.reserve(sessionBytes(row), now);
  records.sessions.set(session.id, {
    row,
    closed: false,
    state: new Map(),
    stateVersion: 0,
    stateBytes: 0,
    events: [],
    eventBytes: 0,
    streams: new Map(),
    trimmed: new Map(),
    forgottenSeq: 0,
    tokens: new Map(),
    olderTokens: new Map(),
  });
  return true;
}

/** Whether the asker may see a session. */
export function isVisibleTo(row: SessionRow, asker: SessionAsker | undefined): boolean {
  if (asker === undefined) return true;
  return row.kind === asker.kind && (row.principal === null || row.principal === asker.principal);
}

export function updateSession(
  records: Records,
  id: string,
  { profile, record, expiresAt }: SessionChange,
  now: number,
): ChangeResult | undefined {
  const session = records.findLive(id, now);
  if (session === undefined) return undefined;
  const { row } = session;
  if (isStale(profile, row.version) || isStale(record, row.recordVersion)) {
    return { status: 'conflict', current: { ...row } };
  }
  const changed = {
    ...row,
    ...(profile !== undefined && { profile: profile.text, version: row.version + 1 }),
    ...(record !== undefined && { record: record.text, recordVersion: row.recordVersion + 1 }),
  };
  reserveFor(records, [{ session, bytes: sessionBytes(changed) - sessionBytes(row) }], now);
  Object.assign(row, changed);
  if (expiresAt !== undefined) renew(session, expiresAt, now);
  return { status: 'updated' };
}

function isStale(change: TextChange | undefined, version: number): boolean {
  return change !== undefined && change.expectedVersion !== version;
}

export function endSession(records: Records, id: string, purgeAt: number, now: number): boolean {
  const session = records.findLive(id, now);
  if (session === undefined) return false;
  removeRows(records, session, Infinity);
  remove(records, session);
  if (purgeAt > now) records.bury(id, purgeAt);
  return true;
}

export function listSessions(records: Records, query: SessionPageQuery, now: number): SessionPage {
  const { afterId, limit } = query;
  const rows: ListedRow[] = [];
  for (const session of records.sessions.among(query).after(afterId)) {
    const { row, events, state } = session;
    if (isLive(session, now)) {
      rows.push({ ...row, counts: { events: events.length, stateKeys: state.size } });
    }
    if (rows.length > limit) break;
  }
  return takeSessions(rows, limit);
}

export function countSessions(records: Records, query: SessionQuery, now: number): number {
  let count = 0;
  for (const session of records.sessions.among(query).values()) if (isLive(session, now)) count++;
  return count;
}

export function countKinds(records: Records, now: number): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const session of records.sessions.values()) {
    const { kind } = session.row;
    if (isLive(session, now)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

export function sweep(records: Records, limit: number, now: number): SweepResult {
  const ids: string[] = [];
  let left = limit;
  for (const [id, session] of records.sessions) {
    if (isLive(session, now)) continue;
    // From now on, callers with an earlier clock do not find the session either. They must not see
    // half of its data.
    session.closed = true;
    left -= removeRows(records, session, left);
    if (hasRows(session) || left < 1) return { ids, done: false };
    remove(records, session);
    ids.push(id);
    left--;
  }
  for (const [id, purgeAt] of records.tombstones) {
    if (purgeAt > now) continue;
    if (left < 1) return { ids, done: false };
    records.dropTombstone(id);
    ids.push(id);
    left--;
  }
  return { ids, done: true };
}

/** Removes a session that has no rows left. */
function remove(records: Records, { row }: MemorySession): void {
  records.release(sessionBytes(row));
  records.sessions.delete(row.id);
}

function hasRows(session: MemorySession): boolean {
  return session.events.length > 0 || session.state.size > 0;
}

/** Removes up to `limit` events and state keys of a session that has ended or expired. */
function removeRows(records: Records, session: MemorySession, limit: number): number {
  const events = session.events.splice(0, limit);
  for (const event of events) records.release(eventBytes(event));
  const keys = [...session.state.values()].slice(0, limit - events.length);
  for (const state of keys) {
    records.release(stateBytes(state));
    session.state.delete(state.key);
  }
  if (session.events.length === 0) {
    for (const streamId of session.trimmed.keys()) records.release(trimmedBytes(streamId));
    for (const index of [session.streams, session.trimmed, session.tokens, session.olderTokens]) index.clear();
  }
  return events.length + keys.length;
}
