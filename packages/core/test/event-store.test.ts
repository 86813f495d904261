import { createEventStore, isPriming, type SessionEventStore } from '@mcp-session/core/event-store';
import type { EventStore as EventStoreV1 } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { JSONRPCMessage as MessageV1 } from '@modelcontextprotocol/sdk/types.js';
import type { EventStore as EventStoreV2, JSONRPCMessage as MessageV2 } from '@modelcontextprotocol/server';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { codeOf } from './support/errors.ts';
import { open } from './support/open.ts';

const notification = (n: number): MessageV2 => ({ jsonrpc: '2.0', method: 'notifications/progress', params: { n } });

type Sent = [id: string, message: unknown][];

function into(sent: Sent): { send: (id: string, message: unknown) => Promise<void> } {
  return {
    send: (id, message) => {
      sent.push([id, message]);
      return Promise.resolve();
    },
  };
}

describe('the event store of a session', () => {
  it('is made of a session only', async () => {
    const { store } = await open();
    for (const [value, message] of [
      [undefined, 'Session of createEventStore is undefined, not a session'],
      [{}, 'Session of createEventStore is an object, not a session'],
      [{ events: [] }, 'Session of createEventStore is an object, not a session'],
      [store, 'not a session'],
      [store.create(), 'Session of createEventStore is a promise, not a session: await it first'],
    ] as const) {
      const make = (): unknown => createEventStore(value as never);
      expect(make).toThrow(TypeError);
      expect(make).toThrow(message);
    }
  });

  it('fits both lines of the official SDK by its type', async () => {
    const session = await (await open()).store.create();
    const first: EventStoreV1 = createEventStore<MessageV1>(session);
    const second: EventStoreV2 = createEventStore<MessageV2>(session);

    expectTypeOf<SessionEventStore<MessageV1>>().toExtend<EventStoreV1>();
    expectTypeOf<SessionEventStore<MessageV2>>().toExtend<EventStoreV2>();
    expect(await first.storeEvent('s', notification(1))).toMatch(/^1\./);
    expect(await second.storeEvent('s', notification(2))).toMatch(/^2\./);
  });

  it('sends the events after a given one on its stream, with their ids', async () => {
    const events = createEventStore<MessageV2>(await (await open()).store.create());
    const stored: Sent = [];
    for (let n = 0; n < 9; n++) {
      const message = notification(n);
      const streamId = n % 3 === 0 ? '_GET_stream' : `request-${n % 3}`;
      stored.push([await events.storeEvent(streamId, message), message]);
    }

    const sent: Sent = [];
    const [after = ''] = stored[0] ?? [];
    expect(await events.getStreamIdForEventId(after)).toBe('_GET_stream');
    expect(await events.replayEventsAfter(after, into(sent))).toBe('_GET_stream');
    expect(sent).toEqual([stored[3], stored[6]]);
  });

  it('takes a priming event as a cursor and never replays it', async () => {
    const events = createEventStore<MessageV2>(await (await open()).store.create());
    const first = await events.storeEvent('s', {} as MessageV2);
    const message = await events.storeEvent('s', notification(1));
    await events.storeEvent('s', {} as MessageV2);
    const last = await events.storeEvent('s', notification(2));

    const sent: Sent = [];
    expect(await events.replayEventsAfter(first, into(sent))).toBe('s');
    expect(sent.map(([id]) => id)).toEqual([message, last]);
  });

  it('refuses cursors of other sessions, malformed ones, and those of the future, and sends nothing', async () => {
    const { store } = await open();
    const [mine, other] = [await store.create(), await store.create()];
    const events = createEventStore<MessageV2>(mine);
    const id = await events.storeEvent('_GET_stream', notification(1));
    const foreign = await createEventStore<MessageV2>(other).storeEvent('_GET_stream', notification(2));

    const sent: Sent = [];
    for (const after of [foreign, '', 'x', '1', '1._GET_stream', `${id}\n`]) {
      expect(await events.getStreamIdForEventId(after)).toBeUndefined();
      expect(await codeOf(() => events.replayEventsAfter(after, into(sent)))).toBe('INVALID_CURSOR');
    }
    expect(await codeOf(() => events.replayEventsAfter(id.replace('1.', '2.'), into(sent)))).toBe('INVALID_CURSOR');
    expect(sent).toEqual([]);
  });

  it('refuses a cursor below what was trimmed of its stream, and sends nothing', async () => {
    const session = await (await open()).store.create();
    const events = createEventStore<MessageV2>(session);
    const id = await events.storeEvent('s', notification(1));
    for (let n = 2; n <= 5; n++) await events.storeEvent('s', notification(n));
    await session.events.trim({ maxEvents: 2 });

    const sent: Sent = [];
    expect(await codeOf(() => events.replayEventsAfter(id, into(sent)))).toBe('EVENTS_TRIMMED');
    expect(sent).toEqual([]);
  });

  it('waits for each send, and ends with the error of a failed one', async () => {
    const events = createEventStore<MessageV2>(await (await open()).store.create());
    const after = await events.storeEvent('s', notification(0));
    for (let n = 1; n <= 3; n++) await events.storeEvent('s', notification(n));

    let sending = 0;
    const replay = events.replayEventsAfter(after, {
      async send(id) {
        expect(++sending).toBe(1);
        await new Promise((done) => setImmediate(done));
        sending--;
        if (id.startsWith('3.')) throw new Error('socket closed');
      },
    });

    await expect(replay).rejects.toThrow('socket closed');
  });
});

it.each([
  [{}, true],
  [{ jsonrpc: '2.0' }, false],
  [[], false],
  [null, false],
  ['', false],
  [0, false],
])('tells whether %j is a priming event: %s', (message, priming) => {
  expect(isPriming({ message })).toBe(priming);
});
