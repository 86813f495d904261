import type { SessionBackend } from '@mcp-session/core';
import { setTimeout as wait } from 'node:timers/promises';
import { gap, inHandles, inMemory, type PlantedBug } from './bug.ts';

const LATE = Number.MAX_SAFE_INTEGER;

export const endingBugs: readonly PlantedBug[] = [
  inMemory(
    'sessions.end.once',
    'says yes to every caller who ends a session',
    'endSession of an ended session',
    (right) => {
      const ended = new Set<string>();
      return {
        endSession: async (id, purgeAt, now) => {
          if (await right.endSession(id, purgeAt, now)) ended.add(id);
          return ended.has(id);
        },
      };
    },
  ),

  inMemory(
    'sessions.end.once',
    'looks whether a session is live and ends it then',
    'number of callers to whom endSession was true',
    (right) => ({
      endSession: async (id, purgeAt, now) => {
        const live = (await right.readSession(id, now)) !== undefined;
        await gap();
        await right.endSession(id, purgeAt, now);
        return live;
      },
    }),
  ),

  inMemory(
    'sessions.end.reads',
    'hides the record of an ended session and nothing else',
    'readState of all keys of an ended session',
    (right) => {
      const ended = new Set<string>();
      return {
        endSession: async (id, _purgeAt, now) => {
          if (ended.has(id) || (await right.readSession(id, now)) === undefined) return false;
          ended.add(id);
          return true;
        },
        readSession: async (id, now) => (ended.has(id) ? undefined : right.readSession(id, now)),
      };
    },
  ),

  inHandles(
    'sessions.end.reads',
    'answers from a cache that other handles do not clear',
    'readSession of an ended session',
    (right) => {
      const cache = new Map<string, Awaited<ReturnType<SessionBackend['readSession']>>>();
      return {
        createSession: async (session, now) => {
          const created = await right.createSession(session, now);
          cache.set(session.id, await right.readSession(session.id, now));
          return created;
        },
        readSession: async (id, now) => cache.get(id) ?? right.readSession(id, now),
      };
    },
  ),

  inMemory(
    'sessions.end.writes',
    'keeps the mark of an ended session in its state, where a write erases it',
    'commitState of an ended session',
    (right) => {
      const ended = new Set<string>();
      return {
        endSession: async (id, _purgeAt, now) => {
          if (ended.has(id) || (await right.readSession(id, now)) === undefined) return false;
          ended.add(id);
          return true;
        },
        readSession: async (id, now) => (ended.has(id) ? undefined : right.readSession(id, now)),
        touchSession: async (id, expiresAt, now) => !ended.has(id) && right.touchSession(id, expiresAt, now),
        updateSession: async (id, change, now) => (ended.has(id) ? undefined : right.updateSession(id, change, now)),
        commitState: (commit, now) => {
          ended.delete(commit.sessionId);
          return right.commitState(commit, now);
        },
      };
    },
  ),

  inMemory('sessions.end.writes', 'acknowledges an end before it is done', 'of an ended session', (right) => ({
    endSession: async (id, purgeAt, now) => {
      const live = (await right.readSession(id, now)) !== undefined;
      void wait(5)
        .then(() => right.endSession(id, purgeAt, now))
        .catch(() => undefined);
      return live;
    },
  })),

  inMemory('sessions.tombstone.kept', 'keeps no tombstone', 'ids that sweeps before purgeAt named', (right) => ({
    endSession: (id, _purgeAt, now) => right.endSession(id, now, now),
  })),

  inMemory('sessions.tombstone.purged', 'keeps a tombstone for ever', 'ids that a sweep at purgeAt named', (right) => ({
    endSession: (id, _purgeAt, now) => right.endSession(id, LATE, now),
  })),

  inMemory('sweep.expired', 'sweeps a millisecond late', 'ids that a sweep at expiresAt named', (right) => ({
    sweep: (limit, now) => right.sweep(limit, now - 1),
  })),

  inMemory(
    'sweep.expired',
    'leaves the events of a session that it sweeps',
    'of a session whose id was used before',
    (right) => ({
      createSession: haunted(right, (id, now) =>
        right.appendEvents(
          [
            {
              sessionId: id,
              token: 'old',
              events: [{ streamId: 's', message: '"old"', bytes: 5 }],
              expiresAt: undefined,
            },
          ],
          now,
        ),
      ),
    }),
  ),

  inMemory(
    'sweep.ended',
    'leaves the state of a session that it sweeps',
    'keys of a session whose id was used before',
    (right) => ({
      createSession: haunted(right, (id, now) =>
        right.commitState(
          {
            sessionId: id,
            writes: [{ key: 'old', value: '1', bytes: 4, expectedVersion: undefined }],
            limits: { maxKeys: LATE, maxBytes: LATE },
            expiresAt: undefined,
          },
          now,
        ),
      ),
    }),
  ),

  inMemory(
    'sweep.live',
    'sweeps what expires soon',
    'ids that a sweep named, of a live, a renewed and an expired session',
    (right) => ({
      sweep: (limit, now) => right.sweep(limit, now + 5_000),
    }),
  ),

  inMemory('sweep.bounded', 'removes everything in one step', 'in one step', (right) => ({
    sweep: (_limit, now) => right.sweep(LATE, now),
  })),

  inMemory(
    'sweep.bounded',
    'counts sessions but not their rows',
    'removed a session with 500 rows of state and events in',
    (right) => ({
      sweep: async (limit, now) => {
        for (;;) {
          const swept = await right.sweep(limit, now);
          if (swept.done || swept.ids.length > 0) return swept;
        }
      },
    }),
  ),

  inMemory('sweep.bounded', 'never says that it is done', 'never said that it was done', (right) => ({
    sweep: async (limit, now) => ({ ...(await right.sweep(limit, now)), done: false }),
  })),

  inMemory(
    'sweep.order',
    'removes the record of a session before its rows',
    'createSession after the last step of a sweep',
    (right) => {
      const expiries = new Map<string, number>();
      return {
        createSession: (session, now) => {
          expiries.set(session.id, session.expiresAt);
          return right.createSession(session, now);
        },
        sweep: async (limit, now) => {
          const ids = [...expiries].filter(([, expiresAt]) => expiresAt <= now).map(([id]) => id);
          const { done } = await right.sweep(limit, now);
          return { ids, done };
        },
      };
    },
  ),

  inMemory(
    'sweep.order',
    'shows a session that is partly swept to a clock that is behind',
    'with an earlier time',
    (right) => {
      const rows = new Map<string, Awaited<ReturnType<SessionBackend['readSession']>>>();
      return {
        appendEvents: async (batch, now) => {
          const results = await right.appendEvents(batch, now);
          for (const { sessionId } of batch) rows.set(sessionId, await right.readSession(sessionId, now));
          return results;
        },
        readSession: async (id, now) => {
          const row = rows.get(id);
          return row !== undefined && row.expiresAt > now ? row : right.readSession(id, now);
        },
      };
    },
  ),

  inMemory('sweep.concurrent', 'names what another sweep removed as well', 'each once', (right) => {
    const gone: string[] = [];
    return {
      sweep: async (limit, now) => {
        const { ids, done } = await right.sweep(limit, now);
        gone.push(...ids);
        return { ids: [...gone], done };
      },
    };
  }),
];

/** Creates sessions; where one of that id was there before, it finds something of it. */
function haunted(
  right: SessionBackend,
  ghost: (id: string, now: number) => Promise<unknown>,
): SessionBackend['createSession'] {
  const used = new Set<string>();
  return async (session, now) => {
    const created = await right.createSession(session, now);
    if (created && used.has(session.id)) await ghost(session.id, now);
    used.add(session.id);
    return created;
  };
}
