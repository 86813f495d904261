import { describe, expect, it } from 'vitest';
import { startDegrading, WRITES } from '../support/degrading.ts';
import { gate } from '../support/harness.ts';
import { lines } from '../support/lines.ts';

describe.each(lines)('batches while the store fails, with onStoreError: degrade, SDK $name', (line) => {
  it.each([false, true])(
    'a batch with an unstored answer before a stored one is answered and ends, resumed: %s',
    async (resumed) => {
      const [first, second] = [gate(), gate()];
      const { raw, fail, heal, untilStored } = await startDegrading(line, {
        echo: () => 'x',
        wait: async ({ which }) => {
          await (which === 1 ? first : second).passed;
          return `waited ${String(which)}`;
        },
      });
      const client = raw();
      await client.begin('2025-03-26');
      const { sse } = await client.post([
        client.toolCall('wait', { which: 1 }),
        client.toolCall('echo'),
        client.toolCall('wait', { which: 2 }),
      ]);
      const { id } = await sse.message();
      const { sse: reading } = resumed ? await client.get({ 'last-event-id': id }) : { sse };
      fail(WRITES);
      first.open();
      const unstored = await reading.message();
      heal();
      await untilStored();
      second.open();
      const stored = await reading.message();
      expect([unstored.id, stored.id]).toEqual(['', expect.stringMatching(/./)]);
      expect(JSON.stringify([unstored.message, stored.message])).toMatch(/waited 1.*waited 2/);
      expect(await reading.rest()).toEqual([]);
    },
  );

  it('a batch whose last answer could not be stored is answered and ends', async () => {
    const go = gate();
    const { raw, fail } = await startDegrading(line, {
      echo: () => 'x',
      wait: async () => {
        await go.passed;
        return 'waited';
      },
    });
    const client = raw();
    await client.begin('2025-03-26');
    const { sse } = await client.post([client.toolCall('wait'), client.toolCall('echo')]);
    expect((await sse.message()).id).not.toBe('');
    fail(WRITES);
    go.open();
    expect((await sse.message()).id).toBe('');
    expect(await sse.rest()).toEqual([]);
  });
});
