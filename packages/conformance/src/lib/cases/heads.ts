import type { PolledHead } from '@mcp-session/core/backend';
import { append, HOUR, NOW, trim } from '../actions.ts';
import { sharedCase, type Case } from '../case.ts';
import { same } from '../findings.ts';

export const headCases: readonly Case[] = [
  sharedCase('heads.read', 'of those that are live', async (t) => {
    const [empty, full, expired, ended] = [
      await t.createLive(),
      await t.createLive(),
      await t.createLive({ expiresAt: NOW + 10 }),
      await t.createLive(),
    ];
    await append(t.backend, full, 's', ['1', '2', '3']);
    await trim(t.backend, full, { maxEvents: 0 });
    await append(t.backend, expired, 's', ['1']);
    await t.backend.endSession(ended, NOW + HOUR, NOW);
    const live: readonly (readonly [string, PolledHead])[] = [
      [empty, { lastSeq: 0, expiresAt: NOW + HOUR }],
      [full, { lastSeq: 3, expiresAt: NOW + HOUR }],
    ];
    const ids = [expired, full, t.id(), ended, empty];
    same(
      await t.backend.readHeads(ids, NOW + 10),
      new Map(live),
      'readHeads of live, expired, ended and unknown sessions',
    );
    const before = new Map([...live, [expired, { lastSeq: 1, expiresAt: NOW + 10 }]]);
    same(await t.backend.readHeads(ids, NOW + 9), before, 'readHeads one millisecond before one expires');
    same(await t.backend.readHeads([], NOW), new Map(), 'readHeads of no sessions');
  }),

  sharedCase('heads.many', '250 in one call', async (t) => {
    const ids = await Promise.all(Array.from({ length: 250 }, () => t.createLive()));
    const heads = await t.backend.readHeads(ids, NOW);
    same(
      ids.filter((id) => heads.get(id)?.lastSeq !== 0),
      [],
      'live sessions that are missing from the heads',
    );
    same(heads.size, 250, 'number of heads');
  }),

  sharedCase('heads.current', 'after writes elsewhere', async (t) => {
    const id = await t.createLive();
    const [reader = t.backend, writer = t.backend] = await t.handles(2);
    const [peer] = await t.peers(1);
    for (let seq = 1; seq < 10; seq += 2) {
      await append(writer, id, 's', ['1']);
      same(
        (await reader.readHeads([id], NOW)).get(id)?.lastSeq,
        seq,
        'lastSeq of a head after an append on another handle',
      );
      await peer?.run({ do: 'append', sessionId: id, writer: 'w', count: 1, now: NOW });
      same(
        (await reader.readHeads([id], NOW)).get(id)?.lastSeq,
        seq + 1,
        'lastSeq of a head after an append by another process',
      );
    }
    await writer.touchSession(id, NOW + 2 * HOUR, NOW);
    same(
      (await reader.readHeads([id], NOW)).get(id)?.expiresAt,
      NOW + 2 * HOUR,
      'expiresAt of a head after a touch on another handle',
    );
  }),
];
