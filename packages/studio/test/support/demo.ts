import type { SessionStore } from '@mcp-session/core';

const CLIENTS = [
  ['claude-code', '2.4.1'],
  ['inspector', '2.12.0'],
  ['vscode', '1.109.0'],
  ['cursor', '3.2.0'],
  ['goose', '1.31.0'],
] as const;
const OWNERS = ['ada@example.com', 'grace@example.com', 'linus@example.com', 'barbara@example.com', null] as const;

/**
 * Fills a store as a server does in use.
 *
 * @param tick Moves the clock of the store on, in milliseconds.
 * @returns The id of the session with the longest log.
 */
export async function fillDemo(store: SessionStore, tick: (ms: number) => void, sessions = 40): Promise<string> {
  let id = '';
  for (let n = 0; n < sessions; n++) {
    tick(1_317 + n * 13);
    const [name, version] = CLIENTS[n % CLIENTS.length] ?? CLIENTS[0];
    const session = await store.create({
      principal: OWNERS[(n * 7) % OWNERS.length] ?? null,
      metadata: { plan: n % 3 === 0 ? 'team' : 'free', region: 'eu-central-1' },
      protocol: {
        protocolVersion: '2025-11-25',
        initialized: true,
        initializeParams: { protocolVersion: '2025-11-25', capabilities: { roots: {} }, clientInfo: { name, version } },
      },
      ttlMs: 60_000 * (3 + ((n * 11) % 27)),
    });
    if (n === 3) id = session.id;
    for (let call = 0; call < (n * 5) % 4; call++) await tellCall(session.events, call + 1, 'search_docs', 1);
  }
  const main = await store.inspect(id);
  if (main === undefined) throw new Error('the session of the demo is not live');
  await main.state.set('cart', {
    items: [
      { sku: 'mug-01', title: 'Mug', amount: 2, price: 12.5 },
      { sku: 'pen-07', title: 'Pen', amount: 10, price: 1.2 },
    ],
    currency: 'EUR',
  });
  await main.state.set('calls', 41);
  await main.state.set('theme', 'dark');
  await main.state.update('calls', (calls: number) => calls + 1);
  await tellStory({
    append: (streamId, message) => {
      tick(3 + ((message as { id?: unknown }).id === undefined ? 211 : 38));
      return main.events.append(streamId, message);
    },
  });
  await store.forPrincipal('ada@example.com').state.set('settings', { language: 'en', beta: true });
  await fillOthers(store);
  return id;
}

type Log = { append(streamId: string, message: unknown): Promise<string> };

const NODE = 'k3f9';

async function tellCall(events: Log, id: number, tool: string, steps: number): Promise<void> {
  const stream = `req-1-${NODE}-${id.toString(36)}-${id}`;
  await events.append(stream, { opened: [id], scopes: ['tools:read'] });
  for (let step = 1; step <= steps; step++) await events.append(stream, progress(id, step, steps));
  await events.append(stream, answer(id, `${tool} has found 3 pages`));
}

function progress(id: number, step: number, steps: number): object {
  const params = { progressToken: id, progress: step, total: steps, message: `page ${step}` };
  return { jsonrpc: '2.0', method: 'notifications/progress', params };
}

function answer(id: number, text: string): object {
  return { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } };
}

/** Two calls at a time, a question to the client, a cancellation and an error. */
async function tellStory(events: Log): Promise<void> {
  for (let id = 1; id <= 9; id++) await tellCall(events, id, 'search_docs', id % 3);
  const a = `req-1-${NODE}-a-10`;
  const b = `req-1-${NODE}-b-11`;
  const c = `req-1-${NODE}-c-_cmVwb3J0`;
  await events.append('_GET_stream', { listener: 2 });
  await events.append('_GET_stream', { jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
  await events.append(a, { opened: [10] });
  await events.append(a, progress(10, 1, 4));
  await events.append(b, { opened: [11] });
  await events.append(a, progress(10, 2, 4));
  const question = { message: 'Which address?', requestedSchema: { type: 'object' } };
  await events.append(b, { jsonrpc: '2.0', id: `${NODE}-1`, method: 'elicitation/create', params: question });
  await events.append(c, { opened: ['report'] });
  await events.append('_nodes', { forwarded: { jsonrpc: '2.0', id: `${NODE}-1`, result: { action: 'accept' } } });
  await events.append(a, progress(10, 3, 4));
  await events.append(b, answer(11, 'The order is placed'));
  await events.append(c, { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'slow' } });
  await events.append(c, { ended: 'report' });
  await events.append(a, progress(10, 4, 4));
  await events.append('_GET_stream', { jsonrpc: '2.0', method: 'notifications/resources/list_changed' });
  await events.append(a, { jsonrpc: '2.0', id: 10, error: { code: -32_603, message: 'Index is being rebuilt' } });
}

async function fillOthers(store: SessionStore): Promise<void> {
  for (const [status, message] of [
    ['working', 'page 3 of 10'],
    ['input_required', 'waits for an address'],
    ['completed', ''],
    ['failed', 'no such file'],
  ]) {
    const metadata = { status: status ?? '', statusMessage: message ?? '', epoch: 1, leaseUntil: Date.now() + 30_000 };
    await store.create({ kind: 'task', principal: 'ada@example.com', metadata });
  }
  for (let n = 0; n < 3; n++) {
    const id = `cart_${Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64url')}`;
    const cart = await store.create({ id, kind: 'cart', principal: 'grace@example.com' });
    await cart.state.set('items', ['mug-01']);
  }
  await store.create({ kind: 'node', metadata: { leaseUntil: Date.now() + 60_000 } });
}
