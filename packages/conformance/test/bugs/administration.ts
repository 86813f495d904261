import { SessionError } from '@mcp-session/core';
import type { SchemaVersion, SessionBackend } from '@mcp-session/core/backend';
import { inMemory, type PlantedBug } from './bug.ts';
import type { Wrong } from '../support/plant.ts';

/**
 * A backend with tables that `migrate` makes, and a version that is read from whether they are
 * there.
 */
function withTables(right: SessionBackend, read: (tables: { made: boolean }) => unknown): Wrong {
  const tables = { made: false };
  return {
    migrate: async () => {
      tables.made = true;
    },
    createSession: async (session, now) => {
      if (!tables.made) throw new SessionError('STORE_FAILED', 'There is no such table');
      return right.createSession(session, now);
    },
    readSchemaVersion: async () => read(tables) as SchemaVersion,
  };
}

const versionBug = (name: string, says: string, read: (tables: { made: boolean }) => unknown): PlantedBug =>
  inMemory('lifecycle.version', name, says, (right) => withTables(right, read));

export const administrationBugs: readonly PlantedBug[] = [
  versionBug('reports the version of its code', 'though createSession fails', () => ({ present: 1, needed: 1 })),

  versionBug('makes its tables when it is asked for their version', 'a second readSchemaVersion', (tables) => {
    const present = tables.made ? 1 : 0;
    tables.made = true;
    return { present, needed: 1 };
  }),

  versionBug('reads the version once', 'readSchemaVersion after migrate', () => ({ present: 0, needed: 1 })),

  versionBug('reports the version as its table has it', "present is '0'", ({ made }) => ({
    present: made ? '1' : '0',
    needed: 1,
  })),
];
