import { createMemoryStore } from '@mcp-session/core/memory';
import { expect, it, onTestFinished } from 'vitest';
import { initialize } from '../support/raw.ts';
import { v2 } from '../support/v2.ts';

const SESSIONS = 2_000;

it(
  'after 2,000 sessions no more than the bound are in memory, and any of them can be restored',
  { timeout: 120_000 },
  async () => {
    const store = await createMemoryStore();
    const handler = v2.createHandler({
      store,
      maxLocalSessions: 100,
      serve: () => ({ tools: { echo: () => 'x' } }),
    });
    onTestFinished(async () => {
      await handler.close();
      await store.close();
    });
    const post = (message: unknown, id?: string): Promise<Response> =>
      handler.fetch(
        new Request('http://localhost/mcp', {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            ...(id !== undefined && { 'mcp-session-id': id }),
          },
          body: JSON.stringify(message),
        }),
      );
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: {} } };
    const ids: string[] = [];
    for (let n = 0; n < SESSIONS; n++) {
      const begun = await post(initialize());
      const id = begun.headers.get('mcp-session-id') ?? '';
      expect(await (await post(call, id)).text()).toContain('"x"');
      ids.push(id);
    }
    expect(handler.localSessions).toBe(100);
    for (const id of [ids[0], ids[1_000]]) expect(await (await post(call, id)).text()).toContain('"x"');
    expect(handler.localSessions).toBe(100);
  },
);
