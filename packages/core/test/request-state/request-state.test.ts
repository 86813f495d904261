import { SessionError, type StateSchemas } from '@mcp-session/core';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { createRequestState, type BoundRequestState, type RequestStateOptions } from '@mcp-session/core/request-state';
import { describe, expect, it } from 'vitest';
import { open, type Opened } from '../support/open.ts';

interface Context {
  readonly mcpReq: { readonly method: string };
  readonly user: string | null;
}

const request = (user: string | null, method = 'tools/call'): Context => ({ mcpReq: { method }, user });
const alice = request('alice');
const key = (id: string) => ({ id, secret: `${id} ${'x'.repeat(32)}` });

const statesOf = (
  { store, clock }: Pick<Opened<StateSchemas>, 'store' | 'clock'>,
  options: Partial<RequestStateOptions<Context>> = {},
) =>
  createRequestState<Context>(store, {
    keys: [key('a')],
    principal: ({ user }) => user,
    clock: () => clock.now,
    ...options,
  });

const refusalOf = async (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'opened',
    (error: unknown) =>
      error instanceof SessionError && error.code === 'INVALID_REQUEST_STATE' ? error.message : error,
  );
const FOREIGN = 'Request state was changed, or sealed by another key, for another user or method';

describe('a request state', () => {
  it('opens for its principal and its method, on any node with the key, and costs no call', async () => {
    const [one, two] = [await open(), await open()];
    const payload = { step: 2, text: '\u{1F600}\u0000', list: [null, 1.5] };
    for (const user of ['alice', null]) {
      const state = await statesOf(one).mint(payload, request(user));
      expect(state).toMatch(/^v1\.a\.[A-Za-z0-9_-]+$/);
      expect(Buffer.from(state.split('.')[2] ?? '', 'base64url').toString()).not.toMatch(/step|alice/);
      expect(await statesOf(two).verify(state, request(user))).toEqual(payload);
      for (const other of ['bob', 'Alice', user === null ? 'null' : null]) {
        expect(await refusalOf(statesOf(two).verify(state, request(other)))).toBe(FOREIGN);
      }
      expect(await refusalOf(statesOf(two).verify(state, request(user, 'prompts/get')))).toBe(FOREIGN);
    }
    expect([one.calls.take(), two.calls.take()]).toEqual([[], []]);
  });

  it('expires', async () => {
    const opened = await open();
    const states = statesOf(opened, { ttlMs: 1_000 });
    const state = await states.mint('x', alice);
    opened.clock.now += 999;
    expect(await states.verify(state, alice)).toBe('x');
    opened.clock.now += 1;
    expect(await refusalOf(states.verify(state, alice))).toBe('Request state has expired');
  });

  it('is opened by every key of the ring, and sealed by the first', async () => {
    const opened = await open();
    const [old, both, next] = [['a'], ['b', 'a'], ['b']].map((ids) => statesOf(opened, { keys: ids.map(key) }));
    const sealed = (await old?.mint('old', alice)) ?? '';
    expect(await both?.verify(sealed, alice)).toBe('old');
    expect(await both?.mint('new', alice)).toMatch(/^v1\.b\./);
    expect(await refusalOf(next?.verify(sealed, alice) ?? Promise.resolve())).toBe(FOREIGN);
    expect(await refusalOf(statesOf(opened, { keys: [{ ...key('b'), id: 'a' }] }).verify(sealed, alice))).toBe(FOREIGN);
  });

  it('that was changed in any character is refused, and so is any other text', async () => {
    const opened = await open();
    const states = statesOf(opened);
    const state = await states.mint({ admin: false }, alice);
    const changed = Array.from(state, (character, index) => {
      const other = character === 'A' ? 'B' : 'A';
      return `${state.slice(0, index)}${other}${state.slice(index + 1)}`;
    });
    const hostile: unknown[] = [
      '',
      'v1',
      'v1.a.',
      `v2${state.slice(2)}`,
      state.slice(0, -1),
      `${state}A`,
      `${state}=`,
      ` ${state}`,
      `${state}\n`,
      `v1.${'a'.repeat(33)}.AAAA`,
      'v1.__proto__.AAAA',
      'v1.a.AAAA',
      `v1.a.${'A'.repeat(10_000_000)}`,
      '\0',
      '\ud800',
      null,
      7,
      {},
      [state],
    ];
    for (const each of [...changed, ...hostile]) {
      expect([FOREIGN, 'Request state is malformed']).toContain(await refusalOf(states.verify(each as string, alice)));
    }
    const huge = `v1.a.${'A'.repeat(100_000)}`;
    expect(await refusalOf(states.verify(huge, alice))).toBe('Request state is malformed');
    // Unused bits of the last character: another text, the same bytes.
    const texts = await Promise.all(['', 'x', 'xx'].map((each) => states.mint(each, alice)));
    const padded = texts.filter((each) => (each.split('.')[2] ?? '').length % 4 !== 0);
    expect(padded).toHaveLength(2);
    for (const each of padded) {
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
      const next = alphabet[alphabet.indexOf(each.at(-1) ?? '') + 1] ?? '';
      expect(await refusalOf(states.verify(each.slice(0, -1) + next, alice))).toBe('Request state is malformed');
    }
    expect(opened.calls.take()).toEqual([]);
    expect(await states.verify(state, alice)).toEqual({ admin: false });
  });

  it('that is sealed with parameters opens with the same ones only', async () => {
    const states = statesOf(await open());
    const parameters = { name: 'pay', arguments: { to: 'bob', amount: { value: 5, unit: 'EUR' } } };
    const state = await states.mint('approved', alice, parameters);
    const bound = (await states.verify(state, alice)) as BoundRequestState;
    expect(bound.open({ arguments: { amount: { unit: 'EUR', value: 5 }, to: 'bob' }, name: 'pay' })).toBe('approved');
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    const others = [
      { ...parameters, name: 'refund' },
      { name: 'pay', arguments: { to: 'eve' } },
      undefined,
      null,
      deep,
    ];
    for (const other of others) expect(() => bound.open(other)).toThrow('Request state belongs to other parameters');
    expect(JSON.stringify(bound)).not.toContain('approved');
  });
});

describe('a state that is used once', () => {
  it('opens for exactly one of many requests on several nodes, and never again', async () => {
    const backend = createMemoryBackend();
    const nodes = await Promise.all([open({ backend }), open({ backend }), open({ backend })]);
    const states = nodes.map((node) => statesOf(node, { once: true, ttlMs: 10_000 }));
    const state = (await states[0]?.mint({ step: 1 }, alice)) ?? '';
    nodes[0]?.calls.take();
    expect(await refusalOf(statesOf(nodes[0], { once: true }).verify(state, request('bob')))).toBe(FOREIGN);
    const answers = await Promise.all(
      states.flatMap((each) => Array.from({ length: 20 }, () => refusalOf(each.verify(state, alice)))),
    );
    expect(answers.filter((each) => each === 'opened')).toHaveLength(1);
    expect(new Set(answers)).toEqual(new Set(['opened', 'Request state was used before']));
    for (const { clock } of nodes) clock.now += 9_999;
    await nodes[0]?.store.sweep();
    expect(await refusalOf(states[1]?.verify(state, alice) ?? Promise.resolve())).toBe('Request state was used before');
    for (const { clock } of nodes) clock.now += 70_000;
    expect(await nodes[0]?.store.sweep()).toBe(1);
    expect(await refusalOf(states[1]?.verify(state, alice) ?? Promise.resolve())).toBe('Request state has expired');
  });

  it('costs one write, and the node that opens it decides nothing by its own options', async () => {
    const opened = await open();
    const state = await statesOf(opened, { once: true }).mint(1, alice);
    expect(opened.calls.take()).toEqual([]);
    expect(await statesOf(opened).verify(state, alice)).toBe(1);
    expect(opened.calls.take()).toEqual(['createSession']);
    expect(await refusalOf(statesOf(opened).verify(state, alice))).toBe('Request state was used before');
  });
});

it('a large payload stays in the store, for its principal, until the state expires', async () => {
  const opened = await open();
  const states = statesOf(opened, { maxInlineBytes: 100, ttlMs: 1_000 });
  const large = 'x'.repeat(99);
  const state = await states.mint(large, alice);
  expect([state.length < 300, opened.calls.take()]).toEqual([true, ['createSession', 'commitState']]);
  expect(await states.verify(state, alice)).toBe(large);
  expect(opened.calls.take()).toEqual(['readSession', 'readState']);
  expect(await refusalOf(states.verify(state, request('bob')))).toBe(FOREIGN);
  await opened.store.endAll({ principal: 'alice', kind: 'claim' });
  expect(await refusalOf(states.verify(state, alice))).toBe('Request state has expired');
  await states.mint('x'.repeat(98), alice);
  expect(opened.calls.take()).not.toContain('commitState');
  await expect(states.mint(undefined, alice)).rejects.toMatchObject({ code: 'NOT_JSON' });
  await expect(states.mint(1n, alice)).rejects.toMatchObject({ code: 'NOT_JSON' });
});

it('a failing store refuses, and uses up nothing', async () => {
  let failing = true;
  const opened = await open({}, (inner) => ({
    createSession: async (...args) => {
      if (failing) throw new SessionError('STORE_UNAVAILABLE', 'Down');
      return inner.createSession(...args);
    },
    readSession: async (...args) => {
      if (failing) throw new SessionError('STORE_UNAVAILABLE', 'Down');
      return inner.readSession(...args);
    },
  }));
  const states = statesOf(opened, { once: true });
  const state = await states.mint(1, alice);
  await expect(states.verify(state, alice)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  failing = false;
  expect(await states.verify(state, alice)).toBe(1);

  const kept = statesOf(opened, { once: true, maxInlineBytes: 0 });
  const large = await kept.mint('large', alice);
  failing = true;
  await expect(kept.verify(large, alice)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  failing = false;
  expect(await kept.verify(large, alice)).toBe('large');
});
