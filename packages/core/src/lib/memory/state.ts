import type { StateCommit, StateResult, StateRow, StateWrite } from '../rows.ts';
import { renew, stateBytes, type MemorySession, type Records } from './records.ts';

export function readState(
  records: Records,
  sessionId: string,
  keys: readonly string[] | undefined,
  now: number,
): readonly StateRow[] | undefined {
  const session = records.live(sessionId, now);
  if (session === undefined) return undefined;
  const rows = keys === undefined ? [...session.state.values()] : keys.flatMap((key) => session.state.get(key) ?? []);
  return rows.map(toRow);
}

export function commitState(
  records: Records,
  { sessionId, writes, limits, expiresAt }: StateCommit,
  now: number,
): StateResult | undefined {
  const session = records.live(sessionId, now);
  if (session === undefined) return undefined;
  for (const { key, expectedVersion } of writes) {
    const current = session.state.get(key);
    if (expectedVersion !== undefined && expectedVersion !== (current?.version ?? 0))
      return { status: 'conflict', key, current: current && toRow(current) };
  }
  const addedKeys = writes.reduce(
    (sum, write) => sum + Number(write.value !== undefined) - Number(session.state.has(write.key)),
    0,
  );
  const addedBytes = writes.reduce((sum, write) => sum + write.bytes - (session.state.get(write.key)?.bytes ?? 0), 0);
  if (addedKeys > 0 && session.state.size + addedKeys > limits.maxKeys) return { status: 'limit', limit: 'maxKeys' };
  if (addedBytes > 0 && session.stateBytes + addedBytes > limits.maxBytes)
    return { status: 'limit', limit: 'maxBytes' };

  records.reserve(
    writes.reduce((sum, write) => sum + storedBytes(session, write), 0),
    now,
  );
  const existed = writes.map(({ key }) => session.state.has(key));
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

/** What a write adds to the memory that is in use. */
function storedBytes(session: MemorySession, write: StateWrite): number {
  const current = session.state.get(write.key);
  return (write.value === undefined ? 0 : stateBytes(write)) - (current === undefined ? 0 : stateBytes(current));
}

function toRow({ key, value, version }: StateRow): StateRow {
  return { key, value, version };
}
