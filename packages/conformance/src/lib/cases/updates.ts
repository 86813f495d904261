import type { ChangeResult, SessionChange, SessionRow, TextChange } from '@mcp-session/core/backend';
import { HOUR, NOW, profileChange, range, recordChange } from '../actions.ts';
import { sharedCase, type Case } from '../case.ts';
import { present, same } from '../findings.ts';
import { sessionRow } from './rows.ts';

/** Changes one of the two texts of a session. */
const parts = {
  profile: { change: profileChange, first: 1, of: (row: SessionRow) => [row.profile, row.version] },
  record: { change: recordChange, first: 0, of: (row: SessionRow) => [row.record, row.recordVersion] },
} as const;

/** The members of a result that are promised. */
function promised(result: ChangeResult | undefined): unknown {
  return result?.status === 'conflict'
    ? { status: result.status, current: sessionRow(result.current) }
    : { status: result?.status };
}

export const updateCases: readonly Case[] = [
  ...(['profile', 'record'] as const).map((part) =>
    sharedCase('sessions.update.compare', `the expected version of the ${part} decides`, async (t) => {
      const { change, first: start, of } = parts[part];
      const id = await t.createLive();
      const [first, second] = await t.handles(2);
      same(
        promised(await first?.updateSession(id, change('"a"', start), NOW)),
        { status: 'updated' },
        `updateSession that expects version ${start} of ${start}`,
      );
      same(
        promised(await second?.updateSession(id, change('"b"', start + 1), NOW)),
        { status: 'updated' },
        `updateSession that expects version ${start + 1} of ${start + 1}`,
      );
      const row = present(sessionRow(await t.backend.readSession(id, NOW)), 'readSession of a live session');
      same(of(row), ['"b"', start + 2], `${part} and version after two updates`);
      for (const stale of [start, start + 1, start + 3]) {
        same(
          promised(await t.backend.updateSession(id, change('"c"', stale), NOW)),
          { status: 'conflict', current: row },
          `updateSession that expects version ${stale} of ${start + 2}`,
        );
      }
      same(sessionRow(await t.backend.readSession(id, NOW)), row, 'readSession after updates that were in conflict');
    }),
  ),

  sharedCase('sessions.update.apart', 'a change of one text leaves the other one alone', async (t) => {
    const id = await t.createLive({ profile: '"p1"' });
    const [first = t.backend, second = t.backend] = await t.handles(2);
    const shown = async (): Promise<unknown> => {
      const row = await t.backend.readSession(id, NOW);
      return [row?.profile, row?.version, row?.record, row?.recordVersion];
    };
    await first.updateSession(id, recordChange('"r1"', 0), NOW);
    same(await shown(), ['"p1"', 1, '"r1"', 1], 'both texts and versions after a change of the record');
    await second.updateSession(id, profileChange('"p2"', 1), NOW);
    same(await shown(), ['"p2"', 2, '"r1"', 1], 'both texts and versions after a change of the profile');
    await first.updateSession(id, recordChange('"r2"', 1), NOW);
    same(await shown(), ['"p2"', 2, '"r2"', 2], 'both texts and versions after another change of the record');
  }),

  sharedCase('sessions.update.both', 'a change of both texts is made whole or not at all', async (t) => {
    const id = await t.createLive();
    const change = (profile: TextChange, record: TextChange): SessionChange => ({
      profile,
      record,
      expiresAt: NOW + 2 * HOUR,
    });
    const made = change({ text: '"p"', expectedVersion: 1 }, { text: '"r"', expectedVersion: 0 });
    same(promised(await t.backend.updateSession(id, made, NOW)), { status: 'updated' }, 'updateSession of both texts');
    const row = present(sessionRow(await t.backend.readSession(id, NOW)), 'readSession of a live session');
    same(
      [row.profile, row.version, row.record, row.recordVersion, row.expiresAt],
      ['"p"', 2, '"r"', 1, NOW + 2 * HOUR],
      'what a change of both texts has made',
    );
    for (const [version, recordVersion] of [
      [1, 1],
      [2, 0],
      [3, 2],
    ] as const) {
      const stale = change({ text: '"x"', expectedVersion: version }, { text: '"y"', expectedVersion: recordVersion });
      same(
        promised(await t.backend.updateSession(id, { ...stale, expiresAt: NOW + 3 * HOUR }, NOW)),
        { status: 'conflict', current: row },
        `updateSession of both texts that expects the versions ${version} of 2 and ${recordVersion} of 1`,
      );
    }
    same(sessionRow(await t.backend.readSession(id, NOW)), row, 'readSession after changes of both texts in conflict');
  }),

  ...(['profile', 'record'] as const).map((part) =>
    sharedCase('sessions.update.race', `one of many updates of one version of the ${part} is made`, async (t) => {
      const { change, first, of } = parts[part];
      const id = await t.createLive();
      const handles = await t.handles(4);
      for (const version of range(first, first + 9)) {
        const results = await Promise.all(
          handles.map((backend, index) => backend.updateSession(id, change(`"${version}-${index}"`, version), NOW)),
        );
        same(
          results.filter((result) => result?.status === 'updated').map(promised),
          [{ status: 'updated' }],
          `the updates that were made, of ${handles.length} that expect version ${version}`,
        );
        const winner = results.findIndex((result) => result?.status === 'updated');
        const row = present(await t.backend.readSession(id, NOW), 'readSession of a live session');
        same(of(row), [`"${version}-${winner}"`, version + 1], `${part} after the race: the one of the winner`);
      }
    }),
  ),
];
