import { createRequestState } from '@mcp-session/core/request-state';
import type { ServerContext, ServerOptions } from '@modelcontextprotocol/server';
import { expect, expectTypeOf, it } from 'vitest';
import { open } from '../support/open.ts';

const alice = { mcpReq: { method: 'tools/call' } };
const key = (id: string) => ({ id, secret: `${id} ${'x'.repeat(32)}` });

it('what is no context of a request of SDK v2 is an error that says so', async () => {
  const { store } = await open();
  const states = createRequestState(store, { keys: [key('a')], principal: () => 'alice' });
  const state = await states.mint(1, alice);
  for (const [context, kind] of [
    [undefined, 'undefined'],
    [null, 'null'],
    // The context of SDK v1.
    [{ requestId: 1, sessionId: 'x' }, 'an object'],
    [{ mcpReq: {} }, 'an object'],
  ] as const) {
    const message = (method: string): string => `Context of ${method} is ${kind}, not what SDK v2 passes to a handler`;
    await expect(states.mint(1, context as never)).rejects.toThrow(new TypeError(message('mint')));
    await expect(states.verify(state, context as never)).rejects.toThrow(new TypeError(message('verify')));
  }
  expect(await states.verify(state, alice)).toBe(1);
});

it('options are checked, and no error shows a secret', async () => {
  const { store } = await open();
  const principal = () => null;
  for (const [keys, message] of [
    [undefined, 'Option keys is undefined'],
    [[], 'Option keys is an array, not'],
    [[undefined], "Option keys[0] is undefined, not a key, such as { id: 'a', secret }"],
    [[key('a'), 'secret'], 'Option keys[1] is a string, not a key'],
    [[{ ...key('a'), kid: 'b' }], 'Unknown option kid of keys[0]; did you mean id?'],
    [[{ id: '', secret: 'x'.repeat(32) }], 'Option keys[0].id does not match'],
    [[{ id: 'a', secret: 'hunter2' }], 'Option keys[0].secret has 7 bytes, fewer than 32'],
    [[{ id: 'a', secret: 7 }], 'Option keys[0].secret is a number'],
    [[key('a'), key('a')], 'Option keys names the key a twice'],
  ] as const) {
    expect(() => createRequestState(store, { keys: keys as never, principal })).toThrow(message);
  }
  expect(() => createRequestState(store, { keys: [key('a')], principal, maxInlineBytes: 32_769 })).toThrow(
    'maxInlineBytes',
  );
  // @ts-expect-error: it is missing
  expect(() => createRequestState(store, { keys: [key('a')] })).toThrow('Option principal is missing');
  // @ts-expect-error: the name is wrong
  expect(() => createRequestState(store, { keys: [key('a')], principal, ttl: 1 })).toThrow('did you mean ttlMs?');
  for (const told of [undefined, '']) {
    const states = createRequestState(store, { keys: [key('a')], principal: () => told });
    await expect(states.mint(1, alice)).rejects.toMatchObject({ code: 'INVALID_PRINCIPAL' });
  }
  const fits = createRequestState(store, {
    keys: [key('a')],
    principal: (ctx: ServerContext) => ctx.sessionId ?? null,
  });
  expectTypeOf({ verify: fits.verify }).toExtend<NonNullable<ServerOptions['requestState']>>();
});
