import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf, collect, errorOf } from '../support/errors.ts';
import { open, START } from '../support/open.ts';

describe('events.append', () => {
  it('keeps the order of the calls and gives each event a number and an id', async () => {
    const { store } = await open();
    const { events } = await store.create();

    const ids = await Promise.all(
      Array.from({ length: 100 }, (_, n) => events.append(n % 2 === 0 ? 'even' : 'odd', n)),
    );
    const all = await collect(events.replay());

    expect(all.map(({ id }) => id)).toEqual(ids);
    expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
    expect(all.map(({ message }) => message)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(all.map(({ streamId }) => streamId)).toEqual(
      all.map(({ message }) => (Number(message) % 2 === 0 ? 'even' : 'odd')),
    );
    expect(new Set(all.map(({ createdAt }) => createdAt))).toEqual(new Set([START]));
  });

  it('returns ids that name their stream and survive a header and an SSE line', async () => {
    const { store } = await open();
    const { events } = await store.create();

    for (const streamId of ['_GET_stream', '.', 'a.b.c', '!', '~'.repeat(255), '0', crypto.randomUUID()]) {
      const id = await events.append(streamId, {});
      expect(id).toMatch(/^[\x21-\x7e]+$/);
      expect(events.streamOf(id)).toBe(streamId);
    }
  });

  it('stores messages as the wire would carry them', async () => {
    const { store } = await open();
    const { events } = await store.create();
    const message = {
      jsonrpc: '2.0',
      id: undefined,
      at: new Date(0),
      list: [undefined],
      nan: Number.NaN,
      text: '\0\ud800',
    };

    await events.append('s', message);

    expect((await events.recent(1))[0]?.message).toEqual(JSON.parse(JSON.stringify(message)));
  });

  it.each([[{}], [[]], [null], [false], [0], [''], ['\0']])('takes %j', async (message) => {
    const { store } = await open();
    const { events } = await store.create();

    await events.append('s', message);

    expect((await events.recent(1))[0]?.message).toEqual(message);
  });

  it('stores any JSON value and returns it', async () => {
    const { store } = await open();
    const { events } = await store.create();

    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (message) => {
        await events.append('s', message);
        expect((await events.recent(1))[0]?.message).toStrictEqual(JSON.parse(JSON.stringify(message)));
      }),
    );
  });

  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  it.each([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['a BigInt inside', { n: 1n }],
    ['a cycle', cycle],
    ['a toJSON that throws', { toJSON: () => expect.fail('thrown') }],
    ['a toJSON that gives nothing', { toJSON: () => undefined }],
  ])('refuses what JSON cannot write, and no number is used up: %s', async (_what, message) => {
    const { store } = await open();
    const { events } = await store.create();

    expect(await codeOf(() => events.append('s', message))).toBe('NOT_JSON');
    expect(await events.append('s', 1)).toMatch(/^1\./);
  });

  it('accepts a message of a million levels, or refuses it if JSON.stringify of this runtime cannot write it', async () => {
    const { store } = await open();
    const { events } = await store.create();
    const text = '['.repeat(1_000_000) + ']'.repeat(1_000_000);

    const code = await codeOf(() => events.append('s', JSON.parse(text)));

    const [event] = await events.recent(1);
    expect(code === 'NOT_JSON' ? text : JSON.stringify(event?.message)).toBe(text);
    expect(event === undefined).toBe(code === 'NOT_JSON');
  });

  it.each([
    ['empty', ''],
    ['256 characters', 'a'.repeat(256)],
    ['a space', 'a b'],
    ['a line feed at the end', 'a\n'],
    ['U+0000', 'a\0'],
    ['beyond ASCII', 'ü'],
    ['a number', 5],
    ['undefined', undefined],
  ])('refuses a stream id that is malformed: %s', async (_what, streamId) => {
    const { store } = await open();
    const { events } = await store.create();
    const given = streamId as string;

    expect(await codeOf(() => events.append(given, 1))).toBe('INVALID_STREAM_ID');
    if (streamId === undefined) return;
    expect(await codeOf(() => events.replay({ streamId: given }).next())).toBe('INVALID_STREAM_ID');
    expect(await codeOf(() => events.tail({ streamId: given }).next())).toBe('INVALID_STREAM_ID');
    expect(await codeOf(() => events.recent(1, given))).toBe('INVALID_STREAM_ID');
  });

  it('accepts 1 MiB and more, and refuses what the backend does not accept', async () => {
    const { store } = await open({}, (inner) => ({
      capabilities: { ...inner.capabilities, maxEventBytes: 1_048_576 },
    }));
    const { events } = await store.create();

    await events.append('s', 'x'.repeat(1_048_574));
    expect(await errorOf(() => events.append('s', 'x'.repeat(1_048_575)))).toMatchObject({
      code: 'EVENT_TOO_LARGE',
      message: 'Event of 1048577 bytes exceeds the 1048576 bytes that memory accepts',
    });
    expect(await codeOf(() => events.append('s', '€'.repeat(349_525)))).toBe('EVENT_TOO_LARGE');
    expect(await collect(events.replay())).toHaveLength(1);
  });
});

describe('events.recent', () => {
  it('returns the newest events of one stream or of all, oldest first', async () => {
    const { store } = await open();
    const { events } = await store.create();
    for (let n = 1; n <= 10; n++) await events.append(n % 3 === 0 ? 'third' : 'other', n);
    const messages = async (...args: Parameters<typeof events.recent>): Promise<unknown[]> =>
      (await events.recent(...args)).map(({ message }) => message);

    expect(await messages(3)).toEqual([8, 9, 10]);
    expect(await messages(2, 'third')).toEqual([6, 9]);
    expect(await messages(1_000)).toHaveLength(10);
    expect(await messages(5, 'never')).toEqual([]);
  });

  it('returns fewer if they exceed 1 MiB, and at least one', async () => {
    const { store } = await open();
    const { events } = await store.create();
    for (const size of [10, 600_000, 600_000]) await events.append('s', 'x'.repeat(size));

    expect(await events.recent(3)).toHaveLength(1);
    await events.append('s', 'x'.repeat(3_000_000));
    expect(await events.recent(3)).toHaveLength(1);
  });

  it.each([0, -1, 1.5, 1_001, Number.NaN])('refuses %s as a limit', async (limit) => {
    const { events } = await (await open()).store.create();

    expect(await codeOf(() => events.recent(limit))).toBe('RangeError');
  });

  it('reports an event that another program has corrupted', async () => {
    const { store, backend, clock } = await open();
    const { id, events } = await store.create();
    const event = { streamId: 's', message: '{"cut', bytes: 5 };
    await backend.appendEvents(
      [{ sessionId: id, token: 'x'.repeat(22), events: [event], expiresAt: undefined }],
      clock.now,
    );

    expect(await codeOf(() => events.recent(1))).toBe('STORE_CORRUPT');
    expect(await codeOf(() => events.tail().next())).toBe('STORE_CORRUPT');
  });
});

describe('events.page', () => {
  it('starts at any number, of one stream or of all, and says how much there is', async () => {
    const { store } = await open();
    const { events } = await store.create();
    for (let n = 1; n <= 10; n++) await events.append(n % 2 === 0 ? 'even' : 'odd', n);
    const numbers = async (options: Parameters<typeof events.page>[0]) => {
      const page = await events.page(options);
      return { ...page, events: page.events.map(({ seq }) => seq) };
    };

    expect(await numbers({})).toEqual({
      events: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      more: false,
      lastSeq: 10,
      trimmedSeq: 0,
    });
    expect(await numbers({ afterSeq: 3, limit: 2 })).toMatchObject({ events: [4, 5], more: true });
    expect(await numbers({ afterSeq: 3, streamId: 'even' })).toMatchObject({ events: [4, 6, 8, 10], more: false });
    expect(await numbers({ afterSeq: 99 })).toMatchObject({ events: [], lastSeq: 10 });
    await events.trim({ maxEvents: 4 });
    expect(await numbers({ afterSeq: 2 })).toMatchObject({ events: [7, 8, 9, 10], trimmedSeq: 6 });
  });

  it('refuses what is no number, and names that it does not know', async () => {
    const { store } = await open();
    const { events } = await store.create();

    await expect(events.page({ afterSeq: -1 })).rejects.toThrow('afterSeq');
    await expect(events.page({ limit: 1_001 })).rejects.toThrow('limit');
    await expect(events.page({ after: 1 } as never)).rejects.toThrow('did you mean afterSeq?');
    expect(await codeOf(() => events.page({ streamId: 'a b' }))).toBe('INVALID_STREAM_ID');
  });
});
