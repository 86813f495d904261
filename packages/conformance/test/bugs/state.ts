import { SessionError } from '@mcp-session/core';
import type { StateRow } from '@mcp-session/core/backend';
import { gap, inMemory, mangled, type PlantedBug } from './bug.ts';
import { changed, oneByOne } from './commits.ts';

export const stateBugs: readonly PlantedBug[] = [
  inMemory(
    'state.read.keys',
    'gives null for a key that does not exist',
    'readState of two keys and one that does not exist',
    (right) => ({
      readState: async (id, keys, now) => {
        const rows = await right.readState(id, keys, now);
        const missing = (keys ?? []).filter((key) => rows?.every((row) => row.key !== key));
        return rows && [...rows, ...missing.map((key) => ({ key, value: 'null', version: 0 }))];
      },
    }),
  ),

  inMemory(
    'state.read.empty',
    'takes a session without state for one that is not there',
    'readState of all keys of a live session without state',
    (right) => ({
      readState: async (id, keys, now) => {
        const rows = await right.readState(id, keys, now);
        return rows?.length === 0 ? undefined : rows;
      },
    }),
  ),

  inMemory(
    'state.isolation',
    'clears the state of every session',
    'value of a session after another was cleared',
    (right) => {
      const ids = new Set<string>();
      return {
        commitState: (commit, now) => {
          ids.add(commit.sessionId);
          return right.commitState(commit, now);
        },
        clearState: async (id, expiresAt, now) => {
          const count = await right.clearState(id, expiresAt, now);
          for (const other of ids) await right.clearState(other, undefined, now);
          return count;
        },
      };
    },
  ),

  ...(
    [
      ['folds keys to small letters', (key) => key.toLowerCase()],
      ['normalizes keys', (key) => key.normalize('NFC')],
      ['ends a key at U+0000', (key) => key.split('\u0000')[0] ?? ''],
      ['trims keys', (key) => key.trim()],
      ['cuts keys off at 250 bytes', (key) => key.slice(0, 250)],
    ] satisfies [string, (key: string) => string][]
  ).map(([name, change]) =>
    inMemory('state.keys.bytes', name, '', (right) => ({
      commitState: (commit, now) =>
        right.commitState(
          changed(commit, (write) => ({ ...write, key: change(write.key) })),
          now,
        ),
      readState: (id, keys, now) => right.readState(id, keys?.map(change), now),
    })),
  ),

  inMemory(
    'state.keys.bytes',
    'keeps state in a plain object, which swallows __proto__',
    'the key "__proto__"',
    (right) => ({
      readState: async (id, keys, now) => {
        const rows = await right.readState(id, keys, now);
        const state: Record<string, StateRow> = {};
        for (const row of rows ?? []) state[row.key] = row;
        return rows && Object.values(state);
      },
    }),
  ),

  inMemory('state.values.bytes', 'reads values as JSON and writes them anew', 'the value', (right) => ({
    commitState: (commit, now) =>
      right.commitState(
        changed(commit, (write) => ({ ...write, value: write.value && mangled(write.value) })),
        now,
      ),
  })),

  inMemory(
    'state.values.large',
    'refuses what one item of its database cannot hold',
    'a call failed that should succeed',
    (right) => ({
      commitState: async (commit, now) => {
        if (commit.writes.some((write) => write.bytes > 400_000)) {
          throw new SessionError('STORE_FAILED', 'Item is too large');
        }
        return right.commitState(commit, now);
      },
    }),
  ),

  inMemory(
    'state.commit.parallel',
    'keeps the state in one blob that it reads, changes and writes',
    'keys that are missing',
    (right) => ({
      commitState: async (commit, now) => {
        const before = (await right.readState(commit.sessionId, undefined, now)) ?? [];
        await gap();
        const present = (await right.readState(commit.sessionId, undefined, now)) ?? [];
        const lost = present.filter(
          (row) => before.every(({ key }) => key !== row.key) && commit.writes.every(({ key }) => key !== row.key),
        );
        const removals = lost.map(({ key }) => ({ key, value: undefined, bytes: 0, expectedVersion: undefined }));
        return right.commitState({ ...commit, writes: [...commit.writes, ...removals] }, now);
      },
    }),
  ),

  inMemory(
    'state.commit.atomic',
    'writes key after key until one is in conflict',
    'state after a commit that was in conflict',
    (right) => ({
      commitState: oneByOne(right, async () => undefined),
    }),
  ),

  inMemory(
    'state.commit.seen-whole',
    'lets readers in between the keys of a commit',
    'readState saw a part of a commit',
    (right) => ({
      commitState: oneByOne(right, gap),
    }),
  ),

  inMemory('state.commit.existed', 'says of every key that it existed', 'commitState of old and new keys', (right) => ({
    commitState: async (commit, now) => {
      const result = await right.commitState(commit, now);
      return result?.status === 'committed' ? { ...result, existed: result.existed.map(() => true) } : result;
    },
  })),

  inMemory(
    'state.commit.size',
    'writes 25 keys of a commit and forgets the rest',
    'commitState of 64 keys',
    (right) => ({
      commitState: (commit, now) => right.commitState({ ...commit, writes: commit.writes.slice(0, 25) }, now),
    }),
  ),

  inMemory('state.versions.counter', 'counts versions in twos', 'version of a commit', (right) => ({
    commitState: async (commit, now) => {
      const result = await right.commitState(commit, now);
      return result?.status === 'committed' ? { ...result, version: result.version * 2 } : result;
    },
  })),

  inMemory(
    'state.versions.repeat-never',
    'counts from 1 again after a clear',
    'versions of a key that was removed and cleared',
    (right) => {
      const cleared = new Map<string, number>();
      const base = (id: string): number => cleared.get(id) ?? 0;
      return {
        clearState: async (id, expiresAt, now) => {
          const probe = { sessionId: id, writes: [], limits: { maxKeys: 1e9, maxBytes: 1e9 }, expiresAt: undefined };
          const count = await right.clearState(id, expiresAt, now);
          const result = await right.commitState(probe, now);
          if (result?.status === 'committed') cleared.set(id, result.version);
          return count;
        },
        readState: async (id, keys, now) =>
          (await right.readState(id, keys, now))?.map((row) => ({ ...row, version: row.version - base(id) })),
      };
    },
  ),

  inMemory(
    'state.compare.stale',
    'tells nothing of the key that is in conflict',
    'conflict of version 1 with 2',
    (right) => ({
      commitState: async (commit, now) => {
        const result = await right.commitState(commit, now);
        return result?.status === 'conflict' ? { ...result, current: undefined } : result;
      },
    }),
  ),

  inMemory(
    'state.compare.absent',
    'takes the expected version 0 for none',
    'conflict with a key that must not exist',
    (right) => ({
      commitState: (commit, now) =>
        right.commitState(
          changed(commit, (write) => ({ ...write, expectedVersion: write.expectedVersion || undefined })),
          now,
        ),
    }),
  ),

  inMemory(
    'state.compare.first',
    'names any of the keys that are in conflict',
    'conflict of a commit of which two keys are stale',
    (right) => ({
      commitState: (commit, now) => right.commitState({ ...commit, writes: commit.writes.toReversed() }, now),
    }),
  ),

  inMemory('state.compare.race', 'compares first and writes then', 'number of commits that were made', (right) => ({
    commitState: async (commit, now) => {
      const rows = (await right.readState(commit.sessionId, undefined, now)) ?? [];
      const stale = commit.writes.some(
        ({ key, expectedVersion }) =>
          expectedVersion !== undefined && (rows.find((row) => row.key === key)?.version ?? 0) !== expectedVersion,
      );
      if (stale) return right.commitState(commit, now);
      await gap();
      return right.commitState(
        changed(commit, (write) => ({ ...write, expectedVersion: undefined })),
        now,
      );
    },
  })),

  inMemory('state.clear', 'does not say how many keys it removed', 'clearState of a session with 60 keys', (right) => ({
    clearState: async (id, expiresAt, now) => (await right.clearState(id, expiresAt, now)) && 0,
  })),
];
