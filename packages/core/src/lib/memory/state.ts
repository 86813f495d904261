import { judgeCommit } from '../contract/commits.ts';
import type { StateCommit, StateResult, StateRow } from '../contract/rows.ts';
import { renew, stateBytes, type Records } from './records.ts';
import { reserveFor } from './trim.ts';

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

  let bytes = 0;
  for (const write of writes) bytes += write.value === undefined ? 0 : stateBytes(write);
  for (const current of before) bytes -= current === undefined ? 0 : stateBytes(current);
  reserveFor(records, [{ session, bytes }], now);
  const version = ++session.stateVersion;
  session.stateBytes = verdict.totals.bytes;
  for (const write of writes) {
    if (write.value === undefined) session.state.delete(write.key);
    else session.state.set(write.key, { key: write.key, value: write.value, version, bytes: write.bytes });
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
