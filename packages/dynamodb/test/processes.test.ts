import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { expect, inject, it, onTestFinished } from 'vitest';
import { run } from './support/children.ts';
import { newStorage, optionsOf, type StorageArgument } from './support/storage.ts';

async function openSession() {
  const { url, prefix, dispose } = newStorage(inject('dynamodb').url);
  onTestFinished(dispose);
  const storage: StorageArgument = { url, prefix };
  const store = await createDynamoDbStore(optionsOf(storage));
  onTestFinished(() => store.close());
  return { storage, store, session: await store.create() };
}

it(
  '8 processes append to one session under a live reader: every event once, in order',
  { timeout: 90_000 },
  async () => {
    const { storage, session } = await openSession();
    const [writers, each] = [8, 25];
    const children = Promise.all(
      Array.from({ length: writers }, (_, index) => run('append-all.ts', storage, session.id, `w${index}`, each)),
    );
    const seen: { readonly seq: number; readonly writer: string; readonly n: number }[] = [];
    for await (const { seq, message } of session.events.tail()) {
      seen.push({ seq, ...(message as { writer: string; n: number }) });
      if (seen.length === writers * each) break;
    }
    await children;
    expect(seen.map(({ seq }) => seq)).toEqual(Array.from({ length: writers * each }, (_, index) => index + 1));
    const byWriter = Map.groupBy(seen, ({ writer }) => writer);
    expect(byWriter.size).toBe(writers);
    for (const events of byWriter.values()) {
      expect(events.map(({ n }) => n)).toEqual(Array.from({ length: each }, (_, index) => index));
    }
  },
);

it('50 increments at once from two processes leave 50', { timeout: 60_000 }, async () => {
  const { storage, session } = await openSession();
  await Promise.all([run('increment.ts', storage, session.id, 25), run('increment.ts', storage, session.id, 25)]);
  expect(await session.state.get('n')).toBe(50);
});
