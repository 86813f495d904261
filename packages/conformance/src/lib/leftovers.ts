import { Finding } from './findings.ts';
import type { StoredRow } from './storage.ts';

/** Fails if a row belongs to a session without a record, because no sweep will ever find it. */
export function checkLeftovers(rows: readonly StoredRow[]): void {
  const counts = new Map<string, number>();
  for (const { table, session } of rows) if (session === undefined) counts.set(table, (counts.get(table) ?? 0) + 1);
  if (counts.size === 0) return;
  const list = [...counts].map(([table, count]) => `${count} of ${table}`).join(', ');
  throw new Finding(`rows that are left of sessions whose records were removed: ${list}`);
}
