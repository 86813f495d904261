import { expect, it } from 'vitest';
import { ServerRequestIds } from '../../src/lib/session/server-request-ids.ts';
import { SessionTransport } from '../../src/lib/session/transport.ts';
import { gate } from '../support/harness.ts';

const ofFirst = { relatedRequestId: 1 };

/** A transport, and what it stores: `aside`, or on the stream of the client's request. */
function start() {
  const [aside, onStream]: [unknown[], unknown[]] = [[], []];
  const transport = new SessionTransport('session', new ServerRequestIds('0123456789abcdef'), {
    append: async (message) => void aside.push(message),
    onServerRequest: () => undefined,
    onClosed: () => undefined,
  });
  const stream = {
    streamId: 'stream',
    sinceSeq: 0,
    append: async (message: unknown) => void onStream.push(message),
    settleLater: () => undefined,
  };
  return { transport, stream, aside, onStream };
}

it('rule 38: a call whose answer is being stored asks nothing more, and still notifies', async () => {
  const { transport, stream, aside, onStream } = start();
  const stored = gate();
  transport.request({ jsonrpc: '2.0', id: 1, method: 'x' }, stream, undefined, () => stored.passed);
  const answered = transport.send({ jsonrpc: '2.0', id: 1, result: {} });
  const question = transport.send({ jsonrpc: '2.0', id: 7, method: 'ping' }, ofFirst);
  await expect(question).rejects.toThrow('Request 1 is not being answered any more');
  const notification = { jsonrpc: '2.0', method: 'notifications/message' } as const;
  await transport.send(notification, ofFirst);
  stored.open();
  await answered;
  expect([aside, onStream]).toEqual([[], [notification]]);
  expect(transport.busy).toBe(false);
});

it('what is asked for a request of no client goes aside and ends with none', async () => {
  const { transport, aside, onStream } = start();
  const called = transport.call({ jsonrpc: '2.0', id: 1, method: 'initialize' }, undefined);
  await transport.send({ jsonrpc: '2.0', id: 7, method: 'ping' }, ofFirst);
  await transport.send({ jsonrpc: '2.0', id: 1, result: {} });
  await called;
  expect([aside, onStream]).toMatchObject([[{ method: 'ping' }], []]);
  expect(transport.busy).toBe(true);
});
