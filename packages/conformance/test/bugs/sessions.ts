import type { SessionBackend, SessionRow } from '@mcp-session/core/backend';
import { gap, inMemory, mangled, type PlantedBug } from './bug.ts';

const LATE = Number.MAX_SAFE_INTEGER;

export const sessionBugs: readonly PlantedBug[] = [
  inMemory(
    'sessions.create.row',
    'gives a new session version 0',
    'readSession of a session just created',
    (right) => ({
      readSession: (id, now) => shown(right, id, now, (row) => ({ ...row, version: row.version - 1 })),
    }),
  ),

  inMemory(
    'sessions.create.duplicate',
    'says yes to an id that is taken',
    'createSession with the id of a live session',
    (right) => ({
      createSession: async (session, now) => {
        await right.createSession(session, now);
        return true;
      },
    }),
  ),

  inMemory(
    'sessions.create.duplicate',
    'gives the id of an expired session away',
    'the id of an expired session',
    (right) => ({
      createSession: async (session, now) => {
        if (await right.createSession(session, now)) return true;
        await right.sweep(1_000, now);
        return right.createSession(session, now);
      },
    }),
  ),

  inMemory('sessions.create.race', 'looks first and creates then', 'number of winners', (right) => ({
    createSession: async (session, now) => {
      const taken = (await right.readSession(session.id, now)) !== undefined;
      await gap();
      await right.createSession(session, now);
      return !taken;
    },
  })),

  inMemory('sessions.ids.bytes', 'folds ids to small letters', 'createSession', (right) => ({
    createSession: (session, now) => right.createSession({ ...session, id: session.id.toLowerCase() }, now),
    readSession: (id, now) => right.readSession(id.toLowerCase(), now),
  })),

  inMemory('sessions.ids.bytes', 'cuts ids off at 100 characters', 'createSession', (right) => ({
    createSession: (session, now) => right.createSession({ ...session, id: session.id.slice(0, 100) }, now),
    readSession: (id, now) => right.readSession(id.slice(0, 100), now),
  })),

  inMemory('sessions.texts.opaque', 'takes the empty principal for none', 'principal of a session', (right) => ({
    createSession: (session, now) => right.createSession({ ...session, principal: session.principal || null }, now),
  })),

  inMemory(
    'sessions.texts.opaque',
    'reads the profile as JSON and writes it anew',
    'profile of a session',
    (right) => ({
      updateSession: (id, change, now) => {
        const { profile } = change;
        const written = profile && { ...profile, text: mangled(profile.text) };
        return right.updateSession(id, { ...change, profile: written }, now);
      },
    }),
  ),

  inMemory(
    'sessions.unknown',
    'makes a session of an id that a reader brings',
    'readSession of an id that was never created',
    (right) => ({
      readSession: async (id, now) => {
        await right.createSession({ id, kind: 'session', principal: null, profile: '{}', expiresAt: LATE }, now);
        return right.readSession(id, now);
      },
    }),
  ),

  inMemory(
    'sessions.expiry.reads',
    'lets only the sweep make sessions expire',
    'readSession at expiresAt',
    (right) => ({
      readSession: (id) => right.readSession(id, 0),
    }),
  ),

  inMemory(
    'sessions.expiry.reads',
    'lets state live a millisecond longer',
    'readState of all keys at expiresAt',
    (right) => ({
      readState: (id, keys, now) => right.readState(id, keys, now - 1),
    }),
  ),

  inMemory('sessions.expiry.writes', 'appends to a session that has expired', 'appendEvents at expiresAt', (right) => ({
    appendEvents: (batch, now) => right.appendEvents(batch, now - 1),
  })),

  inMemory(
    'sessions.expiry.writes',
    'lets a touch bring an expired session back',
    'touchSession at expiresAt',
    (right) => ({
      touchSession: (id, expiresAt) => right.touchSession(id, expiresAt, 0),
    }),
  ),

  inMemory(
    'sessions.touch.renews',
    'says that it touched and does nothing',
    'expiresAt and touchedAt after touchSession',
    (right) => ({
      touchSession: async (id, _expiresAt, now) => (await right.readSession(id, now)) !== undefined,
    }),
  ),

  inMemory(
    'sessions.touch.shortens-never',
    'sets expiresAt to what a touch carries',
    'after a touch with earlier ones',
    (right) => {
      const expiries = new Map<string, number>();
      return {
        touchSession: (id, expiresAt, now) => {
          expiries.set(id, expiresAt);
          return right.touchSession(id, expiresAt, now);
        },
        readSession: (id, now) =>
          shown(right, id, now, (row) => ({ ...row, expiresAt: expiries.get(id) ?? row.expiresAt })),
      };
    },
  ),

  inMemory(
    'sessions.renewal.writes',
    'renews by touches alone',
    'after appendEvents with a later expiresAt',
    (right) => ({
      appendEvents: (batch, now) =>
        right.appendEvents(
          batch.map((request) => ({ ...request, expiresAt: undefined })),
          now,
        ),
    }),
  ),

  inMemory(
    'sessions.renewal.none',
    'renews by a commit that was in conflict',
    'after writes that changed nothing',
    (right) => ({
      commitState: async (commit, now) => {
        if (commit.expiresAt !== undefined) await right.touchSession(commit.sessionId, commit.expiresAt, now);
        return right.commitState(commit, now);
      },
    }),
  ),

  inMemory('sessions.renewal.none', 'notes every write as activity', 'after clearState without expiresAt', (right) => ({
    clearState: async (id, expiresAt, now) => {
      await right.touchSession(id, 0, now);
      return right.clearState(id, expiresAt, now);
    },
  })),

  inMemory(
    'sessions.writes.parallel',
    'writes the whole record of a session with each change',
    'lastSeq, version and profile',
    (right) => {
      const behind = new Map<string, number>();
      return {
        touchSession: async (id, expiresAt, now) => {
          const before = (await right.readSession(id, now))?.lastSeq ?? 0;
          await gap();
          const after = (await right.readSession(id, now))?.lastSeq ?? 0;
          behind.set(id, (behind.get(id) ?? 0) + after - before);
          return right.touchSession(id, expiresAt, now);
        },
        readSession: (id, now) =>
          shown(right, id, now, (row) => ({ ...row, lastSeq: row.lastSeq - (behind.get(id) ?? 0) })),
      };
    },
  ),

  inMemory(
    'sessions.touch.shortens-never',
    'compares the expiry first and writes it then',
    'after touches that raced',
    (right) => {
      const expiries = new Map<string, number>();
      return {
        touchSession: async (id, expiresAt, now) => {
          const later = expiresAt > (expiries.get(id) ?? 0);
          await gap();
          if (later) expiries.set(id, expiresAt);
          return right.touchSession(id, expiresAt, now);
        },
        readSession: (id, now) =>
          shown(right, id, now, (row) => ({ ...row, expiresAt: expiries.get(id) ?? row.expiresAt })),
      };
    },
  ),
];

/** A row that reads other than it is. */
export async function shown(
  right: SessionBackend,
  id: string,
  now: number,
  change: (row: SessionRow) => SessionRow,
): Promise<SessionRow | undefined> {
  const row = await right.readSession(id, now);
  return row && change(row);
}
