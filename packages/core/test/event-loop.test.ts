import { createSessionStore } from '@mcp-session/core';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { expect, it, onTestFinished } from 'vitest';
import { EventLoopTurn } from '../src/lib/event-loop.ts';
import { intercept } from './support/intercept.ts';
import { open } from './support/open.ts';

it('lets timers and sockets have their turn while a loop of awaited calls runs', async () => {
  const { store } = await open();
  const session = await store.create();
  let turned = false;
  setTimeout(() => (turned = true), 0);

  // Without a turn of the loop this would go on for ever: the memory answers within microtasks.
  for (let calls = 0; !turned && calls < 1_000_000; calls++) await session.state.get('key');

  expect(turned).toBe(true);
});

it('lets them have it while many calls that came at once wait, too', async () => {
  const turn = new EventLoopTurn();
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);

  await Promise.all(Array.from({ length: 100 }, () => call(turn)));
  counting = false;

  // More than half a second of work in turns of two calls.
  expect(turns).toBeGreaterThan(25);
});

it('lets appends of many sessions meet in one batch where each of them has to wait for its turn', async () => {
  const memory = createMemoryBackend();
  let batches = 0;
  const backend = intercept(memory, {
    appendEvents: (batch, now) => {
      batches++;
      return memory.appendEvents(batch, now);
    },
    commitState: (commit, now) => {
      keepTheThread(2);
      return memory.commitState(commit, now);
    },
  });
  const store = await createSessionStore(backend, { sweep: false });
  onTestFinished(() => store.close());
  const sessions = await Promise.all(Array.from({ length: 20 }, () => store.create()));
  await Promise.all(
    sessions.map(async ({ events, state }) => {
      for (let n = 0; n < 10; n++) {
        await state.set('n', n);
        await events.append('s', n);
      }
    }),
  );

  // 200 appends; each alone where a session goes on for as long as its turn lasts.
  expect(batches).toBeLessThan(60);
});

/** As a call to a synchronous backend: at once where it may, and with the thread to itself for 6 ms. */
async function call(turn: EventLoopTurn): Promise<void> {
  const end = turn.endIfLong();
  if (end !== undefined) await end;
  keepTheThread(6);
}

function keepTheThread(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
