import { setTimeout as wait } from 'node:timers/promises';
import { append, NOW, range } from '../actions.ts';
import { sharedCase, type Case } from '../case.ts';
import { holds, same } from '../findings.ts';

export const hintCases: readonly Case[] = [
  sharedCase('hints.marker', 'another value after each write elsewhere', async (t) => {
    const id = await t.createLive();
    const { backend } = t;
    if (backend.readChangeMarker === undefined) return;
    const marker = () => backend.readChangeMarker?.();
    const [[, other = backend], [peer]] = [await t.handles(2), await t.peers(1)];
    for (const n of range(1, 10)) {
      const before = marker();
      if (n % 2 === 0) await append(other, id, 's', ['1']);
      else await peer?.run({ do: 'append', sessionId: id, writer: 'w', count: 1, now: NOW });
      const after = marker();
      holds(
        typeof after === 'number' && after !== before,
        `the change marker is ${after} before and after an append elsewhere`,
      );
    }
  }),

  sharedCase('hints.watch', 'at least one in ten arrives', async (t) => {
    const { backend } = t;
    if (backend.watch === undefined) return;
    const id = await t.createLive();
    const [[, other = backend], [peer]] = [await t.handles(2), await t.peers(1)];
    const hinted: string[] = [];
    const stop = await backend.watch((sessionId) => hinted.push(sessionId));
    for (let n = 0; n < 10; n += 1) await append(other, id, 's', ['1']);
    for (let waited = 0; !hinted.includes(id) && waited < 5_000; waited += 10) await wait(10);
    holds(hinted.includes(id), 'no hint came within 5 s of ten appends');
    hinted.length = 0;
    await peer?.run({ do: 'append', sessionId: id, writer: 'w', count: 10, now: NOW });
    for (let waited = 0; !hinted.includes(id) && waited < 5_000; waited += 10) await wait(10);
    holds(hinted.includes(id), 'no hint came within 5 s of ten appends by another process');
    await stop();
    hinted.length = 0;
    for (let n = 0; n < 10; n += 1) await append(other, id, 's', ['1']);
    await wait(50);
    same(hinted, [], 'hints after they were stopped');
  }),
];
