import { createMemoryStore } from '@mcp-session/core/memory';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { TestOptions } from './support/line.ts';
import { lines } from './support/lines.ts';
import { serve } from './support/serve.ts';

describe.each(lines)('a client of SDK $name', ({ createHandler, connect }) => {
  async function start(options: Omit<TestOptions, 'store'>) {
    const store = await createMemoryStore();
    const handler = createHandler({ store, ...options });
    const served = await serve(handler);
    onTestFinished(async () => {
      await handler.close();
      await served.close();
      await store.close();
    });
    return { store, handler, served };
  }

  it('calls a tool', async () => {
    const { served } = await start({ serve: () => ({ tools: { echo: ({ text }) => String(text) } }) });
    const client = await connect(served.url);
    expect(await client.call('echo', { text: 'hello' })).toBe('hello');
    await client.close();
    expect(client.errors).toEqual([]);
  });
});
