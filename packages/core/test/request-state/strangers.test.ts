import { SessionError } from '@mcp-session/core';
import { createRequestState, type RequestState } from '@mcp-session/core/request-state';
import { expect, it } from 'vitest';
import { changed, Dice, medianTimes } from '../support/guesses.ts';
import { open } from '../support/open.ts';

interface Context {
  readonly mcpReq: { readonly method: string };
  readonly user: string | null;
}

const KEYS = [{ id: 'a', secret: 'x'.repeat(32) }];
const MALFORMED = 'Request state is malformed';
const FOREIGN = 'Request state was changed, or sealed by another key, for another user or method';
const request = (user: string | null, method = 'tools/call'): Context => ({ mcpReq: { method }, user });

/** What a request gets for a token, in the words of the documented error. */
async function answerTo(states: RequestState<Context>, token: string, context: Context): Promise<unknown> {
  return states.verify(token, context).then(
    (payload) => ({ payload }),
    (error: unknown) =>
      error instanceof SessionError && error.code === 'INVALID_REQUEST_STATE' ? error.message : error,
  );
}

it('a stranger with states of their own opens nothing in 10,000 tries, and uses up nothing', async () => {
  const { store, calls } = await open();
  const states = createRequestState<Context>(store, {
    keys: KEYS,
    principal: ({ user }) => user,
    once: true,
    maxInlineBytes: 64,
  });
  const [alice, bob] = [request('alice'), request('bob')];
  const small = await states.mint('the secret', alice);
  const large = await states.mint('x'.repeat(100), alice);
  const own = [await states.mint('own', bob), await states.mint('y'.repeat(100), bob)];
  calls.take();
  const dice = new Dice(14);
  for (let n = 0; n < 10_000; n++) {
    const guess = changed(dice, dice.one([small, large]), dice.one(own));
    if (own.includes(guess)) continue;
    const context = dice.one([bob, request(null), request('bob', 'prompts/get')]);
    const answer = await answerTo(states, guess, context);
    // The words depend on the form of the guess alone, so they reveal nothing about the others.
    const isForm = /^v1\.[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{43,}$/.test(guess);
    expect(isForm ? [FOREIGN, MALFORMED] : [MALFORMED], `${n}: ${guess}`).toContain(answer);
  }
  // Nothing was looked up, so that a guess costs the database nothing.
  expect(calls.take()).toEqual([]);
  expect(await answerTo(states, small, alice)).toEqual({ payload: 'the secret' });
  expect(await answerTo(states, large, alice)).toEqual({ payload: 'x'.repeat(100) });
  expect(await answerTo(states, own[0] ?? '', bob)).toEqual({ payload: 'own' });
});

it("another's state takes as long to refuse as one that never was", async () => {
  const { store } = await open();
  const states = createRequestState<Context>(store, { keys: KEYS, principal: ({ user }) => user, maxInlineBytes: 0 });
  const foreign = await states.mint('x'.repeat(1_000), request('alice'));
  const body = crypto.getRandomValues(Buffer.alloc(Buffer.from(foreign.split('.')[2] ?? '', 'base64url').length));
  const unknown = `v1.a.${body.toString('base64url')}`;
  const bob = request('bob');
  const times = await medianTimes(1_000, {
    foreign: async () => answerTo(states, foreign, bob),
    unknown: async () => answerTo(states, unknown, bob),
  });
  expect(times.difference('foreign', 'unknown')).toBeLessThan(times.noise);
});
