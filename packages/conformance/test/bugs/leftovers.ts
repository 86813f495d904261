import type { SessionBackend } from '@mcp-session/core/backend';
import { memoryRows } from '../support/memory-rows.ts';
import { gap, inMemory, inStorage, type PlantedBug } from './bug.ts';

export const leftoverBugs: readonly PlantedBug[] = [
  inStorage(
    'sweep.leftovers',
    'counts what its deletes returned, not what they found, while another sweep removes the same rows',
    'rows that are left of sessions whose records were removed: ',
    (right) => {
      const left: string[] = [];
      let underWay = 0;
      return {
        sweep: async (limit, now) => {
          underWay += 1;
          await gap();
          const swept = await right.sweep(limit, now);
          if (underWay > 1) left.push(...swept.ids);
          underWay -= 1;
          return swept;
        },
        rows: async () => [
          ...(await memoryRows(right)),
          ...left.map((text) => ({ table: 'events', session: undefined, text })),
        ],
      };
    },
  ),

  inMemory('sweep.leftovers', 'leaves the record of what it has swept', 'tables of the rows that are left', (right) => {
    const gone: string[] = [];
    return {
      sweep: async (limit, now) => {
        const swept = await right.sweep(limit, now);
        gone.push(...swept.ids);
        return swept;
      },
      rows: async () => [
        ...(await memoryRows(right)),
        ...gone.map((session) => ({ table: 'sessions', session, text: '' })),
      ],
    };
  }),

  ...(['principal', 'profile', 'record'] as const).map((kept) =>
    inMemory(
      'sessions.tombstone.bare',
      `keeps the ${kept} with a tombstone`,
      'what is still stored of an ended session after a sweep',
      (right) => keeping(right, kept),
    ),
  ),

  inMemory('sessions.read.asker', 'compares nothing', "readSession of alice's session by bob", (right) => ({
    readSession: (id, now) => right.readSession(id, now),
  })),

  inMemory(
    'sessions.read.asker',
    "keeps nobody's session from users",
    "readSession of nobody's session by alice",
    (right) => ({
      readSession: async (id, now, asker) => {
        const row = await right.readSession(id, now);
        return asker === undefined || (row?.kind === asker.kind && row.principal === asker.principal) ? row : undefined;
      },
    }),
  ),
];

/** Never forgets a text of a session. */
function keeping(right: SessionBackend, kept: 'principal' | 'profile' | 'record'): ReturnType<PlantedBug['bug']> {
  const records: { readonly id: string; readonly text: string }[] = [];
  return {
    createSession: (session, now) => {
      if (kept !== 'record') records.push({ id: session.id, text: session[kept] ?? '' });
      return right.createSession(session, now);
    },
    updateSession: (id, change, now) => {
      if (kept === 'record') records.push({ id, text: change.record?.text ?? '' });
      return right.updateSession(id, change, now);
    },
    rows: async () => [
      ...(await memoryRows(right)),
      ...records.map(({ id, text }) => ({ table: 'sessions', session: id, text })),
    ],
  };
}
