import { gap, inMemory, type PlantedBug } from './bug.ts';
import { changed } from './commits.ts';

const FREE = { maxKeys: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER };

export const limitBugs: readonly PlantedBug[] = [
  inMemory('state.limits.keys', 'ignores limits', 'commitState of two keys where one is allowed', (right) => ({
    commitState: (commit, now) => right.commitState({ ...commit, limits: FREE }, now),
  })),

  inMemory(
    'state.limits.keys',
    'refuses the last key that is allowed',
    'commitState of just as many keys as are allowed',
    (right) => ({
      commitState: (commit, now) =>
        right.commitState({ ...commit, limits: { ...commit.limits, maxKeys: commit.limits.maxKeys - 1 } }, now),
    }),
  ),

  inMemory(
    'state.limits.bytes',
    'counts characters as bytes',
    'commitState of 9 bytes where 8 are allowed',
    (right) => ({
      commitState: (commit, now) =>
        right.commitState(
          changed(commit, (write) => ({ ...write, bytes: write.key.length + (write.value ?? '').length })),
          now,
        ),
    }),
  ),

  inMemory('state.limits.lowered', 'refuses every write past a lowered limit', 'over lowered limits', (right) => ({
    commitState: async (commit, now) => {
      const rows = (await right.readState(commit.sessionId, undefined, now)) ?? [];
      if (rows.length > commit.limits.maxKeys) return { status: 'limit', limit: 'maxKeys' };
      return right.commitState(commit, now);
    },
  })),

  inMemory(
    'state.limits.versions-first',
    'looks at limits before versions',
    'commitState that is both stale and past the limits',
    (right) => ({
      commitState: async (commit, now) => {
        if (commit.writes.length > commit.limits.maxKeys) return { status: 'limit', limit: 'maxKeys' };
        return right.commitState(commit, now);
      },
    }),
  ),

  inMemory(
    'state.limits.parallel',
    'counts first and writes then',
    '40 parallel commits of a key each left',
    (right) => ({
      commitState: async (commit, now) => {
        const rows = (await right.readState(commit.sessionId, undefined, now)) ?? [];
        if (rows.length >= commit.limits.maxKeys) return { status: 'limit', limit: 'maxKeys' };
        await gap();
        return right.commitState({ ...commit, limits: FREE }, now);
      },
    }),
  ),
];
