import type { SessionBackend } from '@mcp-session/core/backend';
import { inMemory, type PlantedBug } from './bug.ts';

const LATE = Number.MAX_SAFE_INTEGER;

export const sweepBugs: readonly PlantedBug[] = [
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
