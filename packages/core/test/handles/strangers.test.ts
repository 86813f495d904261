import type { SessionError } from '@mcp-session/core';
import { defineHandle, handleErrorResult, type HandleKind } from '@mcp-session/core/handles';
import { expect, it } from 'vitest';
import { changed, Dice, medianTimes } from '../support/guesses.ts';
import { open } from '../support/open.ts';

/** What a tool answers for an id; the documented error as the model reads it. */
async function answerTo(carts: HandleKind, id: string, principal: string): Promise<string> {
  return carts.open(id, principal).then(
    ({ id: opened }) => opened,
    (error: unknown) => JSON.stringify([(error as SessionError).code, handleErrorResult(error)]),
  );
}

it('a stranger with a handle of their own opens and destroys nothing in 10,000 changes of ids', async () => {
  const { store, clock, calls } = await open();
  const carts = defineHandle(store, { name: 'cart', ttlMs: 1_000 });
  const expired = await carts.create('alice');
  clock.now += 1_000;
  const [live, own, session] = [
    await carts.create('alice'),
    await carts.create('bob'),
    await store.create({ principal: 'alice' }),
  ];
  const dice = new Dice(14);
  const answers = new Set<string>();
  calls.take();
  for (let n = 0; n < 10_000; n++) {
    const guess = changed(dice, dice.one([live.id, expired.id, session.id]), own.id);
    if (guess === own.id) continue;
    answers.add(await answerTo(carts, guess, 'bob'));
    if (n % 10 === 0) expect(await carts.destroy(guess, 'bob')).toBe(false);
    // Every guess costs the same: one read.
    expect(new Set(calls.take())).toEqual(new Set(['readSession']));
  }
  expect([...answers]).toEqual([
    '["HANDLE_NOT_FOUND",{"content":[{"type":"text","text":"The cart is unknown; create a new one"}],"isError":true}]',
  ]);
  expect(await answerTo(carts, live.id, 'alice')).toBe(live.id);
  expect(await answerTo(carts, own.id, 'bob')).toBe(own.id);
  expect(await answerTo(carts, expired.id, 'alice')).toContain('HANDLE_EXPIRED');
});

// A malformed id may be refused sooner: its form says nothing about anybody's handles.
it('a handle that is foreign, expired or unknown takes as long to refuse', async () => {
  const { store, clock } = await open();
  const carts = defineHandle(store, { name: 'cart', ttlMs: 1_000 });
  const expired = await carts.create('alice');
  clock.now += 1_000;
  const foreign = await carts.create('alice');
  await foreign.state.set('items', 'x'.repeat(500_000));
  const times = await medianTimes(1_000, {
    unknown: async () => answerTo(carts, `${foreign.id.slice(0, -4)}AAAA`, 'bob'),
    foreign: async () => answerTo(carts, foreign.id, 'bob'),
    expired: async () => answerTo(carts, expired.id, 'bob'),
  });
  for (const kind of ['foreign', 'expired']) {
    expect([kind, times.difference(kind, 'unknown') < times.noise]).toEqual([kind, true]);
  }
});
