import { expect, it } from 'vitest';
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
