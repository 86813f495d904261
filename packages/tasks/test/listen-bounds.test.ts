import type { DualEraHandler } from '@mcp-session/http/v2';
import { describe, expect, it, vi } from 'vitest';
import { handlers, listening, ownerOf } from './support/listening.ts';
import { answerOf, messagesOf } from './support/request.ts';

/** Unix seconds. The token lives for long enough to open a stream, on a slow machine as well. */
const inSeconds = (seconds: number): number => Date.now() / 1_000 + seconds;

const CONTENTS = [
  ['tasks', {}],
  ['tasks and lists', { toolsListChanged: true }],
] as const;

describe.each(handlers)('%s', (_, make) => {
  describe.each(CONTENTS)('a stream for %s', (_name, lists) => {
    it('task rule 37: ends when the token that opened it expires, without a result', async () => {
      const { open, tasks } = await listening(make);
      const { taskId } = await tasks.create(ownerOf('alice'));
      const notifications = { taskIds: [taskId], ...lists };
      const expiresAt = inSeconds(1.5);
      const stream = await open(notifications, { expiresAt });
      const staying = await open(notifications, { expiresAt: inSeconds(3_600) });
      const messages = [];
      for await (const message of stream) messages.push(message);
      expect(messages).toEqual([expect.objectContaining({ method: 'notifications/tasks' })]);
      // A timer may be early by a millisecond.
      expect(Date.now()).toBeGreaterThanOrEqual(expiresAt * 1_000 - 2);
      const worker = await tasks.claim(taskId, ownerOf('alice'));
      await worker?.complete({});
      for await (const { params } of staying) {
        if ((params as { readonly status: string }).status === 'completed') return;
      }
      throw new Error('The stream of the other token has ended');
    });

    it('task rule 37: opens for an expired token that the verifier accepted', async () => {
      const { open, tasks } = await listening(make);
      const { taskId } = await tasks.create(ownerOf('alice'));
      const stream = await open({ taskIds: [taskId], ...lists }, { expiresAt: inSeconds(-60) });
      expect((await stream.next()).value).toMatchObject({ method: 'notifications/tasks', params: { taskId } });
    });

    it.each([
      ['in 100 days', () => inSeconds(100 * 86_400)],
      ['never', () => Infinity],
      ['at no time', () => Number.NaN],
    ])('task rule 37: stays open for a token that expires %s', async (_when, expiresAt) => {
      const { open, tasks } = await listening(make);
      const { taskId } = await tasks.create(ownerOf('alice'));
      const stream = await open({ taskIds: [taskId], ...lists }, { expiresAt: expiresAt() });
      expect((await stream.next()).value).toMatchObject({ params: { status: 'working' } });
      await (await tasks.claim(taskId, ownerOf('alice')))?.status('half done');
      // The claim is a change of its own.
      for await (const { params } of stream) {
        if ((params as { readonly statusMessage?: string }).statusMessage === 'half done') return;
      }
      throw new Error('The stream has ended');
    });

    it('task rule 38: is refused with 429 if its principal has as many as it may, and nobody else is', async () => {
      const { ask, open, tasks } = await listening(make, { maxSubscriptionsPerPrincipal: 2 });
      const { taskId } = await tasks.create(ownerOf('alice'));
      const other = await tasks.create(ownerOf('bob'));
      const notifications = { taskIds: [taskId], ...lists };
      // Also of requests at the same time.
      const all = await Promise.all(Array.from({ length: 5 }, async () => ask(notifications)));
      expect(all.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 200, 429, 429, 429]);
      const refused = all.find(({ status }) => status === 429);
      expect(refused?.headers.get('retry-after')).toBe('5');
      expect(await refused?.json()).toMatchObject({ id: 1, error: { code: -32_000 } });
      const theirs = await open({ taskIds: [other.taskId], ...lists }, { sub: 'bob' });
      expect((await theirs.next()).value).toMatchObject({ params: { taskId: other.taskId } });
      // What ends makes room, and so does what was not opened: these tasks are not alice's.
      await Promise.all(all.map(async ({ body, status }) => status === 200 && body?.cancel()));
      for (let turn = 0; turn < 5; turn++) {
        const { body, status } = await ask({ taskIds: [other.taskId], ...lists });
        await body?.cancel();
        expect(status).toBe(200);
      }
      await vi.waitFor(async () => expect((await ask(notifications)).status).toBe(200));
    });

    it('task rule 38: anonymous clients are not one user, and the handler has a bound for all streams', async () => {
      const { ask, tasks } = await listening(make, { maxSubscriptions: 3, maxSubscriptionsPerPrincipal: 1 });
      const { taskId } = await tasks.create();
      const asked = async () => ask({ taskIds: [taskId], ...lists }, { sub: null });
      const all = await Promise.all(Array.from({ length: 3 }, asked));
      for (const response of all) {
        expect((await messagesOf(response).next()).value).toMatchObject({
          params: { notifications: { taskIds: [taskId] } },
        });
      }
    });

    it('task rule 38: one more than the handler may have gets -32603', async () => {
      const { ask, tasks } = await listening(make, { maxSubscriptions: 3 });
      const { taskId } = await tasks.create();
      const all = await Promise.all(
        Array.from({ length: 4 }, async () => ask({ taskIds: [taskId], ...lists }, { sub: null })),
      );
      const json = all.filter(({ headers }) => headers.get('content-type')?.startsWith('application/json'));
      expect(await Promise.all(json.map(answerOf))).toMatchObject([
        { id: 1, error: { code: -32_603, message: 'Subscription limit reached' } },
      ]);
    });
  });
});

it('task rule 37: without a bus, endAll ends the streams of this node', async () => {
  const [[, make] = []] = handlers;
  if (make === undefined) throw new Error('There are handlers');
  const { handler, open, tasks } = await listening(make);
  const { taskId } = await tasks.create(ownerOf('alice'));
  const [alone, both] = [await open({ taskIds: [taskId] }), await open({ taskIds: [taskId], toolsListChanged: true })];
  expect(await (handler as DualEraHandler).endAll(ownerOf('alice'))).toBe(0);
  for (const stream of [alone, both]) {
    for await (const message of stream) expect(message).toHaveProperty('method', 'notifications/tasks');
  }
});

it('a handler without sessions has no endAll', async () => {
  const [, [, make] = []] = handlers;
  if (make === undefined) throw new Error('There are handlers');
  expect((await listening(make)).handler).not.toHaveProperty('endAll');
});
