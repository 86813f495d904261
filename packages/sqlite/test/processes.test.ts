import { Child } from '@mcp-session-tooling/vitest/child';
import { createSqliteStore } from '@mcp-session/sqlite';
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
  for (const events of byWriter.values())
    expect(events.map(({ n }) => n)).toEqual(Array.from({ length: each }, (_, index) => index));
});

it('a tail in another process has an event within 100 ms', { timeout: 60_000 }, async () => {
  const path = await newFile();
  const store = await createSqliteStore({ path });
  onTestFinished(() => store.close());
  const session = await store.create();
  const child = new Child(new URL('support/append-when-told.ts', import.meta.url), [path, session.id]);
  expect(await child.line()).toBe('ready');

  // Noise of the machine can only be met by measuring again. A tail that is slow is so each time.
  const rounds: { readonly median: number; readonly ninetieth: number }[] = [];
  const isQuick = ({ median, ninetieth }: (typeof rounds)[number]): boolean => median < 50 && ninetieth < 100;
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
