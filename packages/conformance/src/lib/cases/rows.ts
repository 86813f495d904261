import type { EventRow, SessionRow, StateRow } from '@mcp-session/core/backend';

// Rows may have members beyond the contract. Only those of the contract are compared.

/** The promised members of a session's row. */
export function sessionRow(row: SessionRow | undefined): SessionRow | undefined {
  if (row === undefined) return undefined;
  const { id, kind, principal, profile, version, record, recordVersion, createdAt, touchedAt, expiresAt, lastSeq } =
    row;
  return { id, kind, principal, profile, version, record, recordVersion, createdAt, touchedAt, expiresAt, lastSeq };
}

/** The promised members of a row of state. */
export function stateRow(row: StateRow | undefined): StateRow | undefined {
  if (row === undefined) return undefined;
  const { key, value, version } = row;
  return { key, value, version };
}

/** The promised members of an event's row. */
export function eventRow({ seq, streamId, message, createdAt }: EventRow): EventRow {
  return { seq, streamId, message, createdAt };
}
