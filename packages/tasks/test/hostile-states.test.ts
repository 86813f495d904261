import { defineHandle, handleErrorResult } from '@mcp-session/core/handles';
import { createMemoryStore } from '@mcp-session/core/memory';
import { createRequestState } from '@mcp-session/core/request-state';
import { createDualEraHandler, defaultPrincipal } from '@mcp-session/http/v2';
import { acceptedContent, inputRequired, McpServer, type ServerContext } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished } from 'vitest';
import * as z from 'zod';
import { attack } from './support/attack.ts';
import { idLike, odd, pick, random } from './support/hostile.ts';
import { type Answer, answerOf, modernRequest } from './support/request.ts';

const TRIES = 10_000;
/** Ten times what they took on a machine with other work, in milliseconds. */
const TIMEOUT_MS = 120_000;
const SECRETS = ['ring for Bob', 'order 66'];
const yes = { confirm: { action: 'accept', content: { yes: true } } };

const principal = ({ http }: ServerContext): string | null =>
  (http?.authInfo && defaultPrincipal(http.authInfo)) ?? null;
const text = (each: unknown) => ({ content: [{ type: 'text' as const, text: JSON.stringify(each) }] });

/** A shop with carts, whose ids are handles, and orders, which are in request states. */
async function shop() {
  const store = await createMemoryStore({ sweep: false });
  const carts = defineHandle(store, { name: 'cart' });
  const keys = [{ id: 'a', secret: 'x'.repeat(32) }];
  const states = createRequestState<ServerContext>(store, { keys, principal, once: true });
  const createServer = (): McpServer => {
    const server = new McpServer({ name: 'shop', version: '1.0.0' }, { requestState: { verify: states.verify } });
    server.registerTool('fill', { inputSchema: z.object({ item: z.string() }) }, async ({ item }, context) => {
      const cart = await carts.create(principal(context));
      await cart.state.set('items', [item]);
      return text(cart.id);
    });
    server.registerTool('cart', { inputSchema: z.object({ id: z.string() }) }, async ({ id }, context) => {
      try {
        return text(await (await carts.open(id, principal(context))).state.get('items'));
      } catch (error) {
        return handleErrorResult(error);
      }
    });
    server.registerTool('buy', { inputSchema: z.object({ order: z.string() }) }, async ({ order }, context) => {
      const bought = context.mcpReq.requestState<string>();
      const schema = z.object({ yes: z.boolean() });
      const accepted = acceptedContent(context.mcpReq.inputResponses, 'confirm', schema);
      if (bought !== undefined) return text([bought, accepted]);
      const confirm = inputRequired.elicit({ message: 'Sure?', requestedSchema: schema });
      return inputRequired({ inputRequests: { confirm }, requestState: await states.mint(order, context) });
    });
    return server;
  };
  const errors: unknown[] = [];
  const handler = createDualEraHandler({
    store,
    createServer,
    createStatelessServer: createServer,
    onError: (error) => void errors.push(error),
  });
  onTestFinished(async () => {
    await handler.close();
    await store.close();
  });
  const send = async (sub: string, request: Request): Promise<Response> => {
    const authInfo = { token: 'x', clientId: 'app', scopes: [], extra: { iss: 'https://issuer', sub } };
    return handler.fetch(request, { authInfo });
  };
  const call = async (sub: string, name: string, args: object, more: object = {}): Promise<Answer> =>
    answerOf(await send(sub, callOf(name, args, more)));
  return { send, call, errors };
}

function callOf(name: string, args: unknown, more: object = {}): Request {
  return modernRequest('http://localhost/mcp', 'tools/call', { name, arguments: args, ...more }, { name });
}

function textOf({ result }: Answer): unknown {
  const { content } = result as { readonly content: readonly [{ readonly text: string }] };
  return JSON.parse(content[0].text);
}

it(
  'a stranger with a valid token learns nothing from handles and request states on the wire, and uses up nothing',
  { timeout: TIMEOUT_MS },
  async () => {
    const { send, call, errors } = await shop();
    const cart = textOf(await call('alice', 'fill', { item: 'ring for Bob' })) as string;
    const stateOf = async (sub: string, order: string) =>
      (await call(sub, 'buy', { order })).result?.['requestState'] as string;
    const state = await stateOf('alice', 'order 66');
    const own = {
      cart: textOf(await call('mallory', 'fill', { item: 'own' })) as string,
      state: await stateOf('mallory', 'own'),
    };
    const guess = (secret: string, of: string): unknown => {
      if (random() < 0.2) return idLike(of);
      const at = Math.floor(random() * secret.length);
      return pick([idLike(secret), of.slice(0, at) + secret.slice(at), secret.slice(0, at) + of.slice(at)]);
    };
    const make = (): Request => {
      if (random() < 0.5) return callOf('cart', random() < 0.05 ? odd() : { id: guess(cart, own.cart) });
      const requestState = guess(state, own.state);
      return callOf('buy', { order: 'x' }, { requestState, inputResponses: random() < 0.1 ? odd() : yes });
    };
    const codes = await attack(TRIES, make, async (request) => send('mallory', request), SECRETS);
    expect(codes[-32_602]).toBeGreaterThan(TRIES / 4);
    expect(codes[0]).toBeGreaterThan(TRIES / 4);

    expect(textOf(await call('alice', 'cart', { id: cart }))).toEqual(['ring for Bob']);
    const more = { requestState: state, inputResponses: yes };
    expect(textOf(await call('alice', 'buy', { order: 'x' }, more))).toEqual(['order 66', { yes: true }]);
    expect(await call('alice', 'buy', { order: 'x' }, more)).toMatchObject({ error: { code: -32_602 } });
    expect(errors.filter((error) => !String(error).startsWith('Error: Rejected inbound request'))).toEqual([]);
  },
);
