import { Child } from '@mcp-session-tooling/vitest/child';
import { createSqliteStore } from '@mcp-session/sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { newFile } from './support/files.ts';

it('16 writers in 4 processes and a live reader: every event once and in order', { timeout: 60_000 }, async () => {
  const [processes, writers, each] = [4, 4, 60];
  const total = processes * writers * each;
  const path = await newFile();
  const store = await createSqliteStore({ path });
  onTestFinished(() => store.close());
  const session = await store.create();
  const children = Array.from(
    { length: processes },
    () =>
      new Child(new URL('support/write-store.ts', import.meta.url), [path, session.id, String(writers), String(each)]),
  );

  const seen: { readonly seq: number; readonly writer: string; readonly n: number }[] = [];
  for await (const { seq, message } of session.events.tail()) {
    seen.push({ seq, ...(message as { writer: string; n: number }) });
    if (seen.length === total) break;
  }
  await Promise.all(children.map(async (child) => await child.succeed()));

  expect(seen.map(({ seq }) => seq)).toEqual(Array.from({ length: total }, (_, index) => index + 1));
  const byWriter = Map.groupBy(seen, ({ writer }) => writer);
  expect(byWriter.size).toBe(processes * writers);
  for (const events of byWriter.values()) {
    expect(events.map(({ n }) => n)).toEqual(Array.from({ length: each }, (_, index) => index));
  }
});

it('a tail in another process receives an event long before the poll of each second', { timeout: 60_000 }, async () => {
  const path = await newFile();
  const store = await createSqliteStore({ path });
  onTestFinished(() => store.close());
  const session = await store.create();
  const child = new Child(new URL('support/append-when-told.ts', import.meta.url), [path, session.id]);
  expect(await child.line()).toBe('ready');

  // Noise of the machine can only be met by measuring again. A tail that is slow is so each time:
  // if it does not see that the file has changed, it takes a second for most. The README says
  // 100 ms: each append waits for a disk that other tests use too, so it needs more room here.
  const rounds: { readonly median: number; readonly ninetieth: number }[] = [];
  const isQuick = ({ median, ninetieth }: (typeof rounds)[number]): boolean => median < 250 && ninetieth < 500;
  const delaysMs: number[] = [];
  child.tell('append');
  for await (const { message } of session.events.tail()) {
    delaysMs.push(Date.now() - (message as { at: number }).at);
    if (delaysMs.length === 50) {
      const sorted = delaysMs.splice(0).toSorted((a, b) => a - b);
      rounds.push({ median: sorted[24] ?? 0, ninetieth: sorted[44] ?? 0 });
      if (rounds.length === 5 || rounds.some(isQuick)) break;
    }
    child.tell('append');
  }
  await child.succeed();
  expect(rounds.filter(isQuick), `Each round: ${JSON.stringify(rounds)}`).toHaveLength(1);
});

it(
  'a sweep of a backlog in another process holds an append up for a small part of its time',
  { timeout: 120_000 },
  async () => {
    const path = await newFile();
    const store = await createSqliteStore({ path, sweep: false });
    onTestFinished(() => store.close());
    const session = await store.create();
    const message = { text: 'x'.repeat(200) };

    // Noise of the machine can only be met by measuring again.
    const rounds: { readonly sweepMs: number; readonly waits: number; readonly longestMs: number }[] = [];
    // Enough of the sweep was beside an append, and none of these waited for much of it.
    const isGood = ({ sweepMs, waits, longestMs }: (typeof rounds)[number]): boolean =>
      waits > 20 && longestMs < sweepMs / 4;
    while (rounds.length < 5 && !rounds.some(isGood)) {
      const backlog = await Promise.all(Array.from({ length: 50 }, () => store.create({ ttlMs: 60_000 })));
      for (const { events } of backlog) {
        await Promise.all(Array.from({ length: 1_000 }, () => events.append('s', message)));
      }
      await Promise.all(backlog.map((each) => each.end({ keepId: false })));
      const sweeper = new Child(new URL('support/sweep-when-told.ts', import.meta.url), [path]);
      expect(await sweeper.line()).toBe('ready');
      const waitsMs: number[] = [];
      let swept: string | undefined;
      const beganAt = performance.now();
      sweeper.tell('sweep');
      const end = sweeper.line().then((line) => (swept = line));
      while (swept === undefined) {
        const startedAt = performance.now();
        await session.events.append('s', 1);
        waitsMs.push(performance.now() - startedAt);
        await wait(5);
      }
      await end;
      const sweepMs = performance.now() - beganAt;
      await sweeper.succeed();
      expect(swept).toBe('50');
      rounds.push({ sweepMs, waits: waitsMs.length, longestMs: Math.max(...waitsMs) });
    }
    expect(rounds.filter(isGood), `Each round: ${JSON.stringify(rounds)}`).toHaveLength(1);
  },
);
