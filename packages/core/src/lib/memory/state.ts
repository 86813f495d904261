import type { StateCommit, StateResult, StateRow } from '../rows.ts';
import { renew, stateBytes, type Records } from './records.ts';
import { giveOldest } from './trim.ts';

export function readState(
  records: Records,
  sessionId: string,
  keys: readonly string[] | undefined,
  now: number,
): readonly StateRow[] | undefined {
  const session = records.live(sessionId, now);
  if (session === undefined) return undefined;
  if (keys === undefined) return Array.from(session.state.values(), toRow);
  const rows: StateRow[] = [];
  for (const key of keys) {
    const state = session.state.get(key);
    if (state !== undefined) rows.push(toRow(state));
  }
  return rows;
}

export function commitState(
  records: Records,
  { sessionId, writes, limits, expiresAt }: StateCommit,
  now: number,
): StateResult | undefined {
  const session = records.live(sessionId, now);
  if (session === undefined) return undefined;
  const existed: boolean[] = [];
  let addedKeys = 0;
  let addedBytes = 0;
  let storedBytes = 0;
  for (const write of writes) {
    const { key, value, bytes, expectedVersion } = write;
    const current = session.state.get(key);
    if (expectedVersion !== undefined && expectedVersion !== (current?.version ?? 0))
      return { status: 'conflict', key, current: current && toRow(current) };
    existed.push(current !== undefined);
    addedKeys += Number(value !== undefined) - Number(current !== undefined);
    addedBytes += bytes - (current?.bytes ?? 0);
    storedBytes += (value === undefined ? 0 : stateBytes(write)) - (current === undefined ? 0 : stateBytes(current));
  }
  if (addedKeys > 0 && session.state.size + addedKeys > limits.maxKeys) return { status: 'limit', limit: 'maxKeys' };
  if (addedBytes > 0 && session.stateBytes + addedBytes > limits.maxBytes)
    return { status: 'limit', limit: 'maxBytes' };

  const missing = records.missing(storedBytes, now);
  if (missing > 0) giveOldest(records, [{ session, bytes: storedBytes }], missing);
  records.reserve(storedBytes, now);
  const version = ++session.stateVersion;
  session.stateBytes += addedBytes;
  for (const { key, value, bytes } of writes) {
    if (value === undefined) session.state.delete(key);
    else session.state.set(key, { key, value, version, bytes });
  }
  if (expiresAt !== undefined) renew(session, expiresAt, now);
  return { status: 'committed', version, existed };
}

export function clearState(
  records: Records,
  sessionId: string,
  expiresAt: number | undefined,
  now: number,
): number | undefined {
  const session = records.renewed(sessionId, expiresAt, now);
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
