import type { SessionBackend } from '@mcp-session/core/backend';
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

  inMemory(
    'sessions.tombstone.kept',
    'keeps no tombstone',
    'createSession with the id of a tombstone, after',
    (right) => ({
      endSession: (id, _purgeAt, now) => right.endSession(id, now, now),
    }),
  ),

  inMemory('sessions.tombstone.purged', 'keeps a tombstone forever', 'ids that a sweep at purgeAt named', (right) => ({
    endSession: (id, _purgeAt, now) => right.endSession(id, LATE, now),
  })),
];
