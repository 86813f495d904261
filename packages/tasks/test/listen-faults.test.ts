import { SessionError } from '@mcp-session/core';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { toNodeHandler } from '@mcp-session/http/node';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { serveTaskNotifications } from '../src/v2.ts';
import { handlers, listening, ownerOf, tokenOf } from './support/listening.ts';
import { mistakesOf } from './support/mistakes.ts';
import { modernRequest } from './support/request.ts';

/**
 * What an application may return by mistake for a request with a token, and what `onError` gets.
 */
const MISTAKES = mistakesOf('serveTaskNotifications');

describe.each(handlers)('%s', (_, make) => {
  it.each(MISTAKES)(
    'task rule 36: a principal that is %s is 500, and is reported',
    async (_name, principal, message) => {
      const { ask, errors, tasks } = await listening(make, { principal });
      const { taskId } = await tasks.create(ownerOf('alice'));
      const response = await ask({ taskIds: [taskId], toolsListChanged: true });
      expect(response.status).toBe(500);
      expect(await response.json()).toEqual({
        jsonrpc: '2.0',
        id: 1,
        error: { code: -32_603, message: 'Internal server error' },
      });
      expect(errors).toEqual([expect.objectContaining({ message: expect.stringContaining(message) as string })]);
    },
  );

  it('task rule 36: a token without iss and sub is 500, and is reported', async () => {
    const { handler, errors } = await listening(make);
    const request = modernRequest('http://localhost/mcp', 'subscriptions/listen', {
      notifications: { taskIds: ['x'] },
    });
    const response = await handler.fetch(request, { authInfo: { token: 'x', clientId: 'app', scopes: [] } });
    expect(response.status).toBe(500);
    expect(errors).toEqual([expect.any(TypeError)]);
  });

  it('task rule 36: a store that fails at the first read is 503 with Retry-After, and is reported', async () => {
    const { ask, errors, tasks, store } = await listening(make);
    const { taskId } = await tasks.create(ownerOf('alice'));
    await store.close();
    const response = await ask({ taskIds: [taskId, 'task_?'] });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
    expect(await response.json()).toMatchObject({ id: 1, error: { code: -32_000 } });
    expect(errors).toEqual([expect.any(SessionError)]);
  });

  it('a refused request is answered, although its body was not read', async () => {
    const { handler } = await listening(make);
    const request = modernRequest('http://localhost/mcp', 'subscriptions/listen', { notifications: {} });
    request.headers.set('content-type', 'text/plain');
    request.headers.set('origin', 'https://evil.example');
    expect((await handler.fetch(request)).status).toBeGreaterThanOrEqual(400);
  });

  it('a request whose body was read before is answered by the handler', async () => {
    const { handler } = await listening(make);
    const request = modernRequest('http://localhost/mcp', 'subscriptions/listen', { notifications: {} });
    await request.text();
    expect((await handler.fetch(request)).status).toBeGreaterThanOrEqual(400);
  });

  it('a stream ends without a report when its store is closed', async () => {
    const { open, errors, tasks, store } = await listening(make);
    const { taskId } = await tasks.create(ownerOf('alice'));
    const stream = await open({ taskIds: [taskId] });
    expect((await stream.next()).value).toMatchObject({ method: 'notifications/tasks' });
    await store.close();
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(errors).toEqual([]);
  });
});

it('task rule 36: over Node.js, a failing principal is the same 500, and goes to the console without onError', async () => {
  const [[, make] = []] = handlers;
  if (make === undefined) throw new Error('There are handlers');
  const lines = vi.spyOn(console, 'error').mockReturnValue(undefined);
  onTestFinished(() => lines.mockRestore());
  const { store, tasks } = await listening(make);
  const handler = serveTaskNotifications(make(store), tasks, { principal: () => '' });
  const node = toNodeHandler(handler);
  const server = createServer((request, response) => {
    void node(Object.assign(request, { auth: tokenOf('alice') }), response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as { readonly port: number };
  const params = { notifications: { taskIds: ['task_?'] } };
  const response = await fetch(modernRequest(`http://127.0.0.1:${port}/mcp`, 'subscriptions/listen', params));
  expect(response.status).toBe(500);
  await response.body?.cancel();
  expect(lines.mock.calls.flat().join(' ')).toContain('@mcp-session/tasks: unexpected error');
});

it('a request of a session with the header of a listener is answered as without it', async () => {
  const [[, make] = []] = handlers;
  const { handler, errors } = await listening(make ?? (() => expect.fail()));
  const post = (body: object, headers = {}): Promise<Response> =>
    handler.fetch(
      new Request('http://localhost/mcp', {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-method': 'subscriptions/listen',
          ...headers,
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
      }),
    );
  const clientInfo = { name: 'test', version: '1.0.0' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const begun = await post({ method: 'initialize', params });
  const response = await post({ method: 'tools/list' }, { 'mcp-session-id': begun.headers.get('mcp-session-id') });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  expect(await response.text()).toContain('"id":1');
  expect(errors).toEqual([]);
});

it('task rule 37: endAll ends the streams of the principal, also if its sessions cannot be ended', async () => {
  const [[, make] = []] = handlers;
  const endAll = async (): Promise<number> => {
    throw new SessionError('STORE_UNAVAILABLE', 'Store is away', { retryable: true });
  };
  const { handler, open, tasks } = await listening((store) =>
    Object.assign(make?.(store) ?? expect.fail(), { endAll }),
  );
  const { taskId } = await tasks.create(ownerOf('alice'));
  const messages = await open({ taskIds: [taskId] });
  const ending = (handler as unknown as { endAll(options: object): Promise<number> }).endAll(ownerOf('alice'));
  await expect(ending).rejects.toThrow('Store is away');
  for await (const _ of messages);
});
