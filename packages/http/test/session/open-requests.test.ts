import { expect, it } from 'vitest';
import { OpenRequests } from '../../src/lib/session/open-requests.ts';

/**
 * The quickest of some runs, in milliseconds: what else the machine does makes a run slower and
 * none quicker.
 */
function quickest(work: () => void): number {
  const times = Array.from({ length: 7 }, () => {
    const begun = performance.now();
    work();
    return performance.now() - begun;
  });
  return Math.min(...times);
}

it('looking up a running stream costs the same however many there are', () => {
  const [few, many] = [1_000, 16_000].map((count) => {
    const open = new OpenRequests();
    for (let id = 0; id < count; id++) {
      const stream = {
        streamId: `stream-${id}`,
        sinceSeq: 0,
        append: async () => undefined,
        settleLater: () => undefined,
      };
      open.add({ request: { jsonrpc: '2.0', id, method: 'x' }, stream, answer: () => undefined, answered: false });
    }
    return quickest(() => {
      for (let id = 0; id < 20_000; id++) open.isRunning(`stream-${id % 500}`);
    });
  }) as [number, number];
  expect(many / few).toBeLessThan(4);
});
