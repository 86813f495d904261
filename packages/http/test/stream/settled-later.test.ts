import { createSessionStore } from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';
import { failingBackend } from '../support/failing-backend.ts';
import { eventually, gate, start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';

describe.each(lines)('an answer that could not be stored, SDK $name', (line) => {
  it.each(['fail', 'degrade'] as const)(
    'is an error for its client on another node, even though the first node is alive, onStoreError: %s',
    async (onStoreError) => {
      const { backend, fail, heal, calls } = failingBackend();
      const [begun, go, never] = [gate(), gate(), gate()];
      const { raw, another } = await start(line, {
        store: await createSessionStore(backend),
        onStoreError,
        leaseMs: 300,
        tools: {
          // Keeps the first node busy, so that it renews its lease.
          work: () => never.passed.then(() => 'worked'),
          wait: async () => {
            begun.open();
            await go.passed;
            return 'waited';
          },
        },
      });
      const client = raw();
      await client.begin();
      await client.callTool('work');
      const call = await client.callTool('wait');
      const cursor = (await call.sse.next())?.id ?? '';
      await begun.passed;
      another();
      const { sse } = await client.get({ 'last-event-id': cursor });
      await sse.next();
      await call.cancel();
      calls();
      fail(['appendEvents']);
      go.open();
      await eventually(() => calls().includes('appendEvents'));
      heal();
      expect((await sse.message()).message).toMatchObject({ id: 2, error: { code: -32_603 } });
      expect((await sse.rest()).filter(({ data }) => data)).toEqual([]);
      never.open();
    },
    5_000,
  );
});
