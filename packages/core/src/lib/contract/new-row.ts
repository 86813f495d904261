import type { NewSession, SessionRow } from './rows.ts';

/** The row of a session that was created just now. */
export function newRow(session: NewSession, now: number): SessionRow {
  return { ...session, version: 1, record: '', recordVersion: 0, createdAt: now, touchedAt: now, lastSeq: 0 };
}
