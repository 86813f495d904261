import type { Session, SessionStore } from '@mcp-session/core';
import { defineHandle, handleErrorResult, type StateHandle } from '@mcp-session/core/handles';
import { type BoundRequestState, createRequestState } from '@mcp-session/core/request-state';
import { createSqliteStore } from '@mcp-session/sqlite';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { acceptedContent, inputRequired, McpServer, type ServerContext } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished } from 'vitest';
import * as z from 'zod';
import { createDualEraHandler, defaultPrincipal } from '../../src/v2.ts';
import { newFile } from '../support/nodes.ts';
import { RawClient } from '../support/raw.ts';
import { serve } from '../support/serve.ts';

const ALICE = 'Bearer https://issuer|alice';
const text = (each: string) => ({ content: [{ type: 'text' as const, text: each }] });

/**
 * One server for both eras: a cart by its id, or by its session, and a purchase that asks first.
 */
function shop(store: SessionStore, errors: unknown[]): (served: Served) => McpServer {
  const carts = defineHandle(store, { name: 'cart', state: { items: z.array(z.string()) } });
  const states = createRequestState(store, {
    keys: [{ id: 'a', secret: 'x'.repeat(32) }],
    principal: ({ http }: ServerContext) => (http?.authInfo ? defaultPrincipal(http.authInfo) : null),
    once: true,
  });
  return ({ session, principal }) => {
    const open = (id: string | undefined): Promise<StateHandle<{ items: z.ZodArray<z.ZodString> }>> => {
      if (id !== undefined) return carts.open(id, principal);
      return session === undefined ? carts.create(principal) : carts.of(session);
    };
    const server = new McpServer({ name: 'shop', version: '1.0.0' }, { requestState: { verify: states.verify } });
    server.server.onerror = (error) => void errors.push(error);
    const inputSchema = z.object({ item: z.string(), cart: z.string().optional().describe(carts.describe()) });
    server.registerTool('add', { inputSchema }, async ({ item, cart: id }) => {
      try {
        const cart = await open(id);
        const items = await cart.state.update('items', (before = []) => [...before, item]);
        return text(`${cart.id} ${items.join(',')}`);
      } catch (error) {
        return handleErrorResult(error);
      }
    });
    server.registerTool('buy', { inputSchema: z.object({ price: z.number() }) }, async (args, ctx) => {
      const state = ctx.mcpReq.requestState<BoundRequestState<{ order: string }>>();
      const answer = acceptedContent(ctx.mcpReq.inputResponses, 'confirm', z.object({ yes: z.boolean() }));
      if (state !== undefined) return text(`${state.open(args).order} for ${args.price}: ${answer?.yes}`);
      const requestedSchema = z.object({ yes: z.boolean() });
      return inputRequired({
        inputRequests: { confirm: inputRequired.elicit({ message: `Pay ${args.price}?`, requestedSchema }) },
        requestState: await states.mint({ order: 'order-1' }, ctx, args),
      });
    });
    return server;
  };
}

interface Served {
  readonly session?: Session;
  readonly principal: string | null;
}

/** Two nodes on one file. */
async function listen(): Promise<{ readonly urls: readonly [URL, URL]; readonly errors: unknown[] }> {
  const path = await newFile();
  const errors: unknown[] = [];
  const node = async (): Promise<URL> => {
    const store = await createSqliteStore({ path });
    const makeServer = shop(store, errors);
    const handler = createDualEraHandler({ store, createServer: makeServer, createStatelessServer: makeServer });
    const served = await serve(handler);
    onTestFinished(async () => {
      await handler.close();
      await served.close();
      await store.close();
    });
    return served.url;
  };
  return { urls: [await node(), await node()], errors };
}

type Call = (name: string, args: Record<string, unknown>) => Promise<string>;

/** A real client of a revision, whose requests go to the nodes in turn. */
async function connect(urls: readonly [URL, URL], mode: 'legacy' | { pin: string }): Promise<Call> {
  let turn = 0;
  const alternate: typeof fetch = (_, init) => fetch(urls[turn++ % 2 === 0 ? 0 : 1], init);
  const client = new Client(
    { name: 'client', version: '1.0.0' },
    { versionNegotiation: { mode }, capabilities: { elicitation: { form: {} } } },
  );
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { yes: true } }));
  const requestInit = { headers: { authorization: ALICE } };
  await client.connect(new StreamableHTTPClientTransport(urls[0], { requestInit, fetch: alternate }));
  onTestFinished(() => client.close());
  return async (name, args) => {
    const { content } = await client.callTool({ name, arguments: args });
    return (content as { text: string }[])[0]?.text ?? '';
  };
}

it('one tool keeps its state by an id in 2026-07-28 and by the session before, on any node', async () => {
  const { urls } = await listen();
  const modern = await connect(urls, { pin: '2026-07-28' });
  const [id = ''] = (await modern('add', { item: 'tea' })).split(' ');
  expect(await modern('add', { item: 'milk', cart: id })).toBe(`${id} tea,milk`);

  const session = await connect(urls, 'legacy');
  const [own = ''] = (await session('add', { item: 'salt' })).split(' ');
  expect(await session('add', { item: 'oil' })).toBe(`${own} salt,oil`);
  expect(await session('add', { item: 'jam', cart: id })).toBe(`${id} tea,milk,jam`);
  expect(await modern('add', { item: 'ham', cart: own })).toBe(`${own} salt,oil,ham`);
  expect(await modern('add', { item: 'x', cart: 'cart_unknown' })).toBe('The cart is unknown; create a new one');
});

it('a request that asks first goes on with its state on the other node, in both eras', async () => {
  const { urls, errors } = await listen();
  for (const mode of [{ pin: '2026-07-28' }, 'legacy'] as const) {
    const call = await connect(urls, mode);
    expect(await call('buy', { price: 5 })).toBe('order-1 for 5: true');
  }
  expect(errors).toEqual([]);
});

it('a request state that is repeated, changed or stolen is -32602 in the same words, and never a 500', async () => {
  const { urls, errors } = await listen();
  const raw = (authorization = ALICE) =>
    new RawClient(urls[1], {
      authorization,
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'buy',
    });
  const buy = (price: number, more: object) => ({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: 'buy',
      arguments: { price },
      ...more,
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
      },
    },
  });
  const answer = async (response: { json(): Promise<unknown> }): Promise<Record<string, unknown>> =>
    (await response.json()) as Record<string, unknown>;
  const mint = async (): Promise<string> => {
    const { result } = await answer(await raw().post(buy(5, {})));
    return (result as { requestState: string }).requestState;
  };
  const inputResponses = { confirm: { action: 'accept', content: { yes: true } } };
  const requestState = await mint();
  expect(await answer(await raw().post(buy(5, { requestState, inputResponses })))).toMatchObject({
    result: { content: [{ text: 'order-1 for 5: true' }] },
  });
  const refused = {
    code: -32_602,
    message: 'Invalid or expired requestState',
    data: { reason: 'invalid_request_state' },
  };
  const other = await mint();
  const hostile: [string, unknown][] = [
    [ALICE, requestState],
    ['Bearer https://issuer|mallory', other],
    [ALICE, `${other}A`],
    [ALICE, ''],
    [ALICE, 'v1.b.AAAA'],
    [ALICE, 'x'.repeat(1_000_000)],
    [ALICE, 7],
  ];
  for (const [who, state] of hostile) {
    const response = await raw(who).post(buy(5, { requestState: state, inputResponses }));
    expect(response.status).toBeLessThan(500);
    expect(await answer(response)).toMatchObject({ error: refused });
  }
  expect(errors.map(String).filter((error) => error.includes('used before'))).toHaveLength(1);
  // Bound to its arguments as well: the tool refuses.
  expect(await answer(await raw().post(buy(6, { requestState: other, inputResponses })))).toMatchObject({
    result: { isError: true, content: [{ text: 'Request state belongs to other parameters' }] },
  });
});
