import { judgeCommit } from '../contract/commits.ts';
import type { StateCommit, StateResult, StateRow } from '../contract/rows.ts';
import { renew, stateBytes, type Records } from './records.ts';
import { evictOwnEvents } from './trim.ts';

export function readState(
  records: Records,
  sessionId: string,
  keys: readonly string[] | undefined,
  now: number,
): readonly StateRow[] | undefined {
  const session = records.findLive(sessionId, now);
  if (session === undefined) return undefined;
  if (keys === undefined) return Array.from(session.state.values(), toRow);
  const rows: StateRow[] = [];
  for (const key of keys) {
    const state = session.state.get(key);
    if (state !== undefined) rows.push(toRow(state));
  }
  return rows;
}

export function commitState(records: Records, commit: StateCommit, now: number): StateResult | undefined {
  const { sessionId, writes, expiresAt } = commit;
  const session = records.findLive(sessionId, now);
  if (session === undefined) return undefined;
  const before = writes.map(({ key }) => session.state.get(key));
  const verdict = judgeCommit(commit, before, { keys: session.state.size, bytes: session.stateBytes });
  if (verdict.status === 'limit') return verdict;
  if (verdict.status === 'conflict') {
    const current = session.state.get(verdict.key);
    return { ...verdict, current: current && toRow(current) };
  }

  let storedBytes = 0;
  for (const write of writes) storedBytes += write.value === undefined ? 0 : stateBytes(write);
  for (const current of before) storedBytes -= current === undefined ? 0 : stateBytes(current);
  const missing = records.missing(storedBytes, now);
  if (missing > 0) evictOwnEvents(records, [{ session, bytes: storedBytes }], missing);
  records.reserve(storedBytes, now);
  const version = ++session.stateVersion;
  session.stateBytes = verdict.totals.bytes;
  for (const { key, value, bytes } of writes) {
    if (value === undefined) session.state.delete(key);
    else session.state.set(key, { key, value, version, bytes });
  }
  if (expiresAt !== undefined) renew(session, expiresAt, now);
  return { status: 'committed', version, existed: before.map((current) => current !== undefined) };
}

export function clearState(
  records: Records,
  sessionId: string,
  expiresAt: number | undefined,
  now: number,
): number | undefined {
  const session = records.renewLive(sessionId, expiresAt, now);
  if (session === undefined) return undefined;
  const removed = session.state.size;
  for (const state of session.state.values()) records.release(stateBytes(state));
  session.state.clear();
  session.stateBytes = 0;
  session.stateVersion++;
  return removed;
}

function toRow({ key, value, version }: StateRow): StateRow {
  return { key, value, version };
}
