import { gap, inHandles, inMemory, type PlantedBug } from './bug.ts';

export const kindBugs: readonly PlantedBug[] = [
  inHandles(
    'sessions.create.race',
    'takes a session of the same millisecond for its own',
    'number of callers and of winners',
    (right) => ({
      createSession: async (session, now) => {
        if (await right.createSession(session, now)) return true;
        await gap();
        return (await right.readSession(session.id, now))?.createdAt === now;
      },
    }),
  ),

  inMemory('store.user.one', 'replaces a session whose id is taken', 'a number of a user', (right) => {
    let commits = 0;
    return {
      createSession: async (session, now) => {
        if (await right.createSession(session, now)) return true;
        // The first writer counts meanwhile, and loses what it has counted.
        for (let turns = 0; turns < 100 && commits === 0; turns++) await gap();
        await right.endSession(session.id, now, now);
        return right.createSession(session, now);
      },
      commitState: async (commit, now) => {
        const result = await right.commitState(commit, now);
        commits++;
        return result;
      },
    };
  }),

  inMemory('store.user.one', 'lets a sweep pass over what was ended', 'SESSION_EXISTS', (right) => ({
    endSession: (id, purgeAt, now) => right.endSession(id, Math.max(purgeAt, now + 1_000), now),
  })),

  inMemory('store.handle.default', 'lets a stale profile win', 'number of callers, and of handles', (right) => ({
    updateSession: async (id, change, now) => {
      await gap();
      const current = await right.readSession(id, now);
      const profile = change.profile && { ...change.profile, expectedVersion: current?.version ?? 0 };
      return right.updateSession(id, { ...change, profile }, now);
    },
  })),

  inMemory('store.kind.expired', 'writes by a clock that is behind', 'set of state of an expired', (right) => ({
    commitState: (commit, now) => right.commitState(commit, now - 36_000_000),
  })),

  inMemory('store.kind.expired', 'sweeps a day early', 'find of an expired session by its owner', (right) => ({
    sweep: (limit, now) => right.sweep(limit, now + 86_400_000),
  })),
];
