import { expect, it, onTestFinished, vi } from 'vitest';
import { EventLoopBudget } from '../../src/lib/runtime/event-loop-budget.ts';
import { open } from '../support/open.ts';

it('lets timers and sockets have their turn while a loop of awaited calls runs', async () => {
  const { store } = await open();
  const session = await store.create();
  let turned = false;
  setTimeout(() => (turned = true), 0);

  // Without a turn of the loop this would go on forever: the memory answers within microtasks.
  for (let calls = 0; !turned && calls < 1_000_000; calls++) await session.state.get('key');

  expect(turned).toBe(true);
});

it('lets them have their turn while many concurrent calls wait', async () => {
  const turn = new EventLoopBudget();
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

it.each([1, 6, 12])('does not let one of two loops of calls of %i ms hold up the other', async (ms) => {
  const clock = ownClock();
  const turn = new EventLoopBudget();
  let left = 100;
  const loop = async (): Promise<number> => {
    let calls = 0;
    for (; left > 0; left--, calls++) {
      if (turn.isSpent()) await turn.nextTurn();
      clock.now += ms;
    }
    return calls;
  };
  const calls = await Promise.all([loop(), loop()]);

  expect(Math.min(...calls)).toBeGreaterThan(40);
});

it('resumes waiters in their order, so that their appends meet in a batch', async () => {
  const clock = ownClock();
  const turn = new EventLoopBudget();
  turn.isSpent();
  clock.now += 11;
  const order: string[] = [];
  const chain = async (name: string): Promise<void> => {
    for (let n = 1; n <= 3; n++) {
      if (turn.isSpent()) await turn.nextTurn();
      order.push(`${name}${n}`);
    }
  };

  await Promise.all([chain('a'), chain('b')]);

  expect(order).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'b3']);
});

/**
 * As a call to a synchronous backend: at once where it may, and with the thread to itself for 6 ms.
 */
async function call(turn: EventLoopBudget): Promise<void> {
  if (turn.isSpent()) await turn.nextTurn();
  keepTheThread(6);
}

/** A clock of which only the test is in charge. */
function ownClock(): { now: number } {
  const clock = { now: 0 };
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => clock.now);
  onTestFinished(() => spy.mockRestore());
  return clock;
}

function keepTheThread(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
