import { createStudio } from '@mcp-session/studio';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ask, LOOPBACK, requestOf } from './support/ask.ts';
import { failing, type Line } from './support/failing.ts';
import { stores } from './support/stores.ts';

const clientInfo = { name: 'inspector', version: '1.2.0' };
const protocol = { protocolVersion: '2025-11-25', initializeParams: { clientInfo } };

describe.each(Object.keys(stores))('on %s', (name) => {
  async function prepare() {
    const time = { aheadMs: 0 };
    const store = await stores[name]?.(() => Date.now() + time.aheadMs);
    if (store === undefined) throw new Error('no such backend');
    return { store, studio: createStudio({ store }), time };
  }

  it('an operator finds a session and reads all of it, which renews nothing', async () => {
    const { store, studio, time } = await prepare();
    const session = await store.create({ principal: 'alice', metadata: { plan: 'free' }, protocol });
    await store.create({ kind: 'cart' });
    await session.state.set('theme', { dark: true });
    await session.state.set('long', 'x'.repeat(10_000));
    for (let n = 1; n <= 5; n++) await session.events.append(n % 2 === 0 ? 'even' : 'odd', { n });
    const { id } = session;
    const times = async () => {
      const { expiresAt, lastActiveAt } = (await store.inspect(id)) ?? {};
      return { expiresAt, lastActiveAt };
    };
    const before = await times();
    // A use would renew the session now.
    time.aheadMs = 600_000;

    const facts = { id, kind: 'session', principal: 'alice', client: 'inspector 1.2.0', lastSeq: 5, ...before };
    await expect
      .poll(() => ask(studio, 'sessions'), { timeout: 20_000 })
      .toMatchObject({ body: { sessions: [facts], nextCursor: null } });
    for (const search of [id, id.slice(0, 13), 'ALICE', 'inspector free', '2025-11-25']) {
      expect(await ask(studio, 'sessions', { search })).toMatchObject({ body: { sessions: [{ id }] } });
    }
    expect(await ask(studio, 'sessions', { search: 'nobody-like-that' })).toMatchObject({ body: { sessions: [] } });
    expect(await ask(studio, 'sessions', { principal: 'alice' })).toMatchObject({ body: { sessions: [{ id }] } });
    expect(await ask(studio, 'sessions', { principal: null })).toMatchObject({ body: { sessions: [] } });
    expect(await ask(studio, 'kinds')).toMatchObject({
      body: {
        kinds: [
          { kind: 'cart', count: 1 },
          { kind: 'session', count: 1 },
        ],
      },
    });
    expect(await ask(studio, 'count', { principal: 'alice' })).toMatchObject({ body: { count: 1 } });
    expect(await ask(studio, 'session', { id })).toMatchObject({
      body: { session: facts, metadata: { plan: 'free' }, protocol },
    });
    expect(await ask(studio, 'state', { id })).toMatchObject({
      body: {
        total: 2,
        nextKey: null,
        keys: [
          { key: 'long', size: 10_002, text: `"${'x'.repeat(1_023)}` },
          { key: 'theme', version: 1, text: '{"dark":true}' },
        ],
      },
    });
    expect(await ask(studio, 'value', { id, key: 'long' })).toMatchObject({
      body: { text: `"${'x'.repeat(10_000)}"` },
    });
    expect(await ask(studio, 'value', { id, key: 'none' })).toMatchObject({ status: 404 });
    expect(await ask(studio, 'events', { id, afterSeq: 3 })).toMatchObject({
      body: { lastSeq: 5, events: [{ seq: 4, streamId: 'even', text: '{"n":4}' }, { seq: 5 }] },
    });
    expect(await ask(studio, 'events', { id, streamId: 'even' })).toMatchObject({
      body: { events: [{ seq: 2 }, { seq: 4 }] },
    });
    expect(await ask(studio, 'event', { id, seq: 2 })).toMatchObject({ body: { text: '{"n":2}', streamId: 'even' } });
    expect(await ask(studio, 'event', { id, seq: 99 })).toMatchObject({ status: 404 });
    expect(await times()).toEqual(before);
  });

  it('a list and a search count the events that are left', async () => {
    const { store, studio } = await prepare();
    const { id, events } = await store.create();
    for (let n = 1; n <= 5; n++) await events.append('s', n);
    await events.trim({ maxEvents: 2 });

    const answer = { body: { sessions: [{ id, lastSeq: 5, events: 2 }] } };
    await expect.poll(() => ask(studio, 'sessions'), { timeout: 20_000 }).toMatchObject(answer);
    for (const search of [id, id.slice(0, 13)]) expect(await ask(studio, 'sessions', { search })).toMatchObject(answer);
  });

  it('a log is followed until its session has ended', async () => {
    const { store, studio } = await prepare();
    const session = await store.create();
    const after = await session.events.append('s', 'one');
    const response = await studio.fetch(requestOf('/api/live', { id: session.id, after }), LOOPBACK);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const until = async (wanted: string) => {
      while (!text.includes(wanted)) {
        const { done, value } = await reader.read();
        if (done) throw new Error(`ended before ${wanted}`);
        text += value;
      }
    };

    await until('event: ready');
    await session.events.append('s', 'two');
    await until('two');
    expect(await ask(studio, 'end', { id: session.id })).toEqual({ status: 200, body: { ended: true } });
    await until('event: end');
    expect((await reader.read()).done).toBe(true);
    expect(text).not.toContain('one');
    expect(await ask(studio, 'session', { id: session.id })).toMatchObject({
      status: 404,
      body: { error: { code: 'SESSION_NOT_FOUND' } },
    });
  });
});

describe('a log that is followed', () => {
  it.each([
    ['cut', 1_500, 'STORE_UNAVAILABLE'],
    ['silent', 4_500, 'STORE_SILENT'],
  ] as const)('says that its store answers, and ends when the store is %s', async (state, afterMs, code) => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const line: Line = { state: 'up' };
    const store = await stores['memory']?.();
    if (store === undefined) throw new Error('no such backend');
    const studio = createStudio({ store: failing(store, line) });
    const { id } = await store.create();
    const response = await studio.fetch(requestOf('/api/live', { id }), LOOPBACK);
    const text = response.text();

    await vi.advanceTimersByTimeAsync(3_100);
    line.state = state;
    await vi.advanceTimersByTimeAsync(afterMs);

    expect((await text).split('\n\n')).toEqual([
      'event: ready\ndata: {}',
      ':',
      ':',
      expect.stringContaining(`event: failure\ndata: {"code":"${code}"`),
      '',
    ]);
  });
});

describe('a list of many sessions', () => {
  it('is read in pages, and searched in bounded steps', async () => {
    const store = await stores['memory']?.();
    if (store === undefined) throw new Error('no such backend');
    const studio = createStudio({ store });
    for (let n = 0; n < 6_000; n++) await store.create({ principal: n % 3_000 === 2_999 ? 'rare' : null });
    const seen = new Set<string>();
    let cursor: string | undefined;
    let pages = 0;
    do {
      const { body } = await ask(studio, 'sessions', { cursor, limit: 500 });
      const page = body as { sessions: { id: string }[]; nextCursor: string | null };
      for (const { id } of page.sessions) seen.add(id);
      cursor = page.nextCursor ?? undefined;
      pages++;
    } while (cursor !== undefined);
    expect(seen.size).toBe(6_000);
    expect(pages).toBe(12);

    const found: string[] = [];
    do {
      const { body } = await ask(studio, 'sessions', { search: 'rare', cursor });
      const page = body as { sessions: { principal: string }[]; nextCursor: string | null; scanned: number };
      found.push(...page.sessions.map(({ principal }) => principal));
      expect(page.scanned).toBeLessThanOrEqual(5_000);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(found).toEqual(['rare', 'rare']);
    expect(await ask(studio, 'sessions', { limit: 501 })).toMatchObject({ status: 400 });
  });

  it('begins with the sessions of a time', async () => {
    const store = await stores['memory']?.();
    if (store === undefined) throw new Error('no such backend');
    const studio = createStudio({ store });
    const { createdAt } = await store.create();

    expect(await ask(studio, 'sessions', { since: createdAt })).toMatchObject({ body: { sessions: [{ createdAt }] } });
    expect(await ask(studio, 'sessions', { since: createdAt + 1 })).toMatchObject({ body: { sessions: [] } });
  });
});

describe('ending', () => {
  it('ends all of a principal, and the record of a user so that it can begin anew', async () => {
    const store = await stores['memory']?.();
    if (store === undefined) throw new Error('no such backend');
    const studio = createStudio({ store });
    await store.create({ principal: 'alice' });
    await store.create({ principal: 'alice' });
    await store.create({ principal: 'bob' });
    await store.forPrincipal('alice').state.set('k', 1);
    const [user] = (await store.list({ kind: 'user' })).sessions;

    expect(await ask(studio, 'endAll', { principal: 'alice' })).toEqual({ status: 200, body: { ended: 2 } });
    expect(await ask(studio, 'endAll', {})).toMatchObject({ status: 400 });
    expect(await ask(studio, 'end', { id: user?.id })).toEqual({ status: 200, body: { ended: true } });
    await store.forPrincipal('alice').state.set('k', 2);
    expect(await store.forPrincipal('alice').state.get('k')).toBe(2);
    expect(await store.count()).toBe(1);
  });

  it('is refused by a studio that is read only', async () => {
    const store = await stores['memory']?.();
    if (store === undefined) throw new Error('no such backend');
    const studio = createStudio({ store, readOnly: true });
    const { id } = await store.create();

    expect(await ask(studio, 'about')).toMatchObject({ body: { readOnly: true } });
    for (const [name, args] of [
      ['end', { id }],
      ['endAll', { principal: null }],
    ] as const) {
      expect(await ask(studio, name, args)).toMatchObject({ status: 403, body: { error: { code: 'READ_ONLY' } } });
    }
    expect((await store.inspect(id))?.id).toBe(id);
  });
});
