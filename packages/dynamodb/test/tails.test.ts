import type { SessionEvent } from '@mcp-session/core';
import { createSessionStore } from '@mcp-session/core/backend';
import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { operations } from './support/counting.ts';
import { openBehindProxy } from './support/open.ts';
import type { Passed } from './support/proxy.ts';
import { optionsOf } from './support/storage.ts';

it(
  'polls for many sessions in one request, more and more slowly while nothing comes',
  { timeout: 60_000 },
  async () => {
    const { proxy, open } = await openBehindProxy();
    const store = await createSessionStore(await open(), { sweep: false });
    const sessions = await Promise.all(Array.from({ length: 90 }, () => store.create()));
    const end = new AbortController();
    const tails = sessions.map(async ({ events }) => {
      for await (const { seq } of events.tail({ signal: end.signal })) if (seq > 1) return;
    });
    // Whatever fails below: tails that are left behind fail as well, and outside of the test.
    onTestFinished(async () => {
      end.abort();
      await store.close();
      await Promise.allSettled(tails);
    });
    // When all wait at the longest delay, one request asks about all of them, at most once a
    // second.
    const isTogether = async (): Promise<boolean> => {
      const polls = await proxy.during(() => wait(2_500));
      const heads = polls.filter((passed) => passed.operation === 'BatchGetItem' && sessionsOf(passed) === 90);
      return polls.length === heads.length && heads.length > 0 && heads.length < 4;
    };
    await wait(4_000);
    await expect.poll(isTogether, { timeout: 40_000 }).toBe(true);
    end.abort();
    await Promise.all(tails);
  },
);

it('soon receives what another process appended, also after a pause', { timeout: 30_000 }, async () => {
  const { direct, open } = await openBehindProxy();
  const store = await createSessionStore(await open(), { sweep: false });
  const other = await createDynamoDbStore(optionsOf(direct));
  onTestFinished(() => other.close());
  const session = await store.create();
  const writer = await other.get(session.id);
  const tail = session.events.tail()[Symbol.asyncIterator]();
  const delaysMs: number[] = [];
  for (const restMs of [0, 0, 0, 0, 3_000, 3_000]) {
    const next = tail.next() as Promise<IteratorYieldResult<SessionEvent>>;
    await wait(restMs);
    const startedAt = performance.now();
    await writer?.events.append('x', 1);
    await next;
    delaysMs.push(performance.now() - startedAt);
  }
  await tail.return(undefined);
  await store.close();
  // It polls at least once a second. The bound leaves room for a busy machine, and one of the six
  // may be later.
  expect(delaysMs.toSorted((a, b) => a - b)[4]).toBeLessThan(3_000);
});

it('a local append wakes a tail, however slowly it polls', { timeout: 60_000 }, async () => {
  const { proxy, open } = await openBehindProxy();
  const store = await createSessionStore(await open(), { sweep: false });
  const session = await store.create();
  const tail = session.events.tail()[Symbol.asyncIterator]();
  const rounds: number[] = [];
  for (let round = 0; round < 3; round++) {
    const next = tail.next();
    // By then it polls once a second.
    await wait(3_000);
    const passed = await proxy.during(async () => {
      await session.events.append('x', 1);
      await next;
    });
    rounds.push(operations(passed).filter((operation) => operation === 'BatchGetItem').length);
  }
  await tail.return(undefined);
  await store.close();
  // The page takes one. A poll takes one more: it can come in between by chance, but a tail that is
  // not woken waits for it.
  expect(Math.min(...rounds)).toBe(1);
});

/** How many items a batch asks for. */
function sessionsOf({ body }: Passed): number {
  const tables = body['RequestItems'] as Readonly<Record<string, { readonly Keys: readonly unknown[] }>>;
  return Object.values(tables).reduce((sum, { Keys }) => sum + Keys.length, 0);
}
