import type { SessionBackend, SessionChange } from '@mcp-session/core/backend';
import { gap, inMemory, type PlantedBug } from './bug.ts';

export const updateBugs: readonly PlantedBug[] = [
  inMemory(
    'sessions.update.compare',
    'replaces the profile whatever its version',
    'updateSession that expects version 1 of 3',
    (right) => ({
      updateSession: async (id, change, now) =>
        right.updateSession(id, await withPresentVersions(right, id, change, ['profile'], now), now),
    }),
  ),

  inMemory(
    'sessions.update.compare',
    'replaces the record whatever its version',
    'updateSession that expects version 0 of 2',
    (right) => ({
      updateSession: async (id, change, now) =>
        right.updateSession(id, await withPresentVersions(right, id, change, ['record'], now), now),
    }),
  ),

  inMemory(
    'sessions.update.apart',
    'writes the profile again with each change of the record, and counts that',
    'both texts and versions after a change of the record',
    (right) => ({
      updateSession: async (id, change, now) => {
        const row = await right.readSession(id, now);
        if (row === undefined || change.profile !== undefined) return right.updateSession(id, change, now);
        const profile = { text: row.profile, expectedVersion: row.version };
        return right.updateSession(id, { ...change, profile }, now);
      },
    }),
  ),

  inMemory(
    'sessions.update.both',
    'writes the profile first and the record then',
    'updateSession of both texts that expects the versions 2 of 2 and 0 of 1',
    (right) => ({
      updateSession: async (id, change, now) => {
        if (change.profile === undefined || change.record === undefined) return right.updateSession(id, change, now);
        const first = await right.updateSession(id, { ...change, record: undefined }, now);
        return first?.status === 'updated' ? right.updateSession(id, { ...change, profile: undefined }, now) : first;
      },
    }),
  ),

  inMemory('sessions.update.race', 'compares first and replaces then', 'the updates that were made', (right) => ({
    updateSession: async (id, change, now) => {
      const row = await right.readSession(id, now);
      const isStale =
        (change.profile !== undefined && change.profile.expectedVersion !== row?.version) ||
        (change.record !== undefined && change.record.expectedVersion !== row?.recordVersion);
      if (isStale) return right.updateSession(id, change, now);
      await gap();
      await right.updateSession(id, await withPresentVersions(right, id, change, ['profile', 'record'], now), now);
      return { status: 'updated' };
    },
  })),
];

/** The change, as if its caller had just read the versions of these texts. */
async function withPresentVersions(
  right: SessionBackend,
  id: string,
  change: SessionChange,
  parts: readonly ('profile' | 'record')[],
  now: number,
): Promise<SessionChange> {
  const row = await right.readSession(id, now);
  const present = { profile: row?.version ?? 0, record: row?.recordVersion ?? 0 };
  const changed = parts.map((part) => [part, change[part] && { ...change[part], expectedVersion: present[part] }]);
  return { ...change, ...(Object.fromEntries(changed) as Pick<SessionChange, 'profile' | 'record'>) };
}
