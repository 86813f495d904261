import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { codeOf, collect } from './support/errors.ts';
import { open, START } from './support/open.ts';

describe('store.inspect', () => {
  it('finds a session of any kind and any principal, with one call to the backend', async () => {
    const { store, calls } = await open();
    const { id } = await store.create({ kind: 'node', principal: 'alice', metadata: { plan: 'free' } });
    calls.take();

    expect(await store.inspect(id)).toMatchObject({ id, kind: 'node', principal: 'alice', metadata: { plan: 'free' } });
    expect(calls.take()).toEqual(['readSession']);
  });

  it('finds no session that is unknown, malformed, expired or ended', async () => {
    const { store, clock } = await open({ ttlMs: 1_000 });
    const ended = await store.create();
    await ended.end();
    const expired = await store.create();
    clock.now += 1_000;

    for (const id of ['unknown', 'a b', '', ended.id, expired.id]) expect(await store.inspect(id)).toBeUndefined();
  });

  it('refuses after the store was closed', async () => {
    const { store } = await open();
    await store.close();

    expect(await codeOf(() => store.inspect('a'))).toBe('STORE_CLOSED');
  });
});

describe.each(['inspect', 'list'] as const)('a handle of store.%s', (method) => {
  async function look() {
    const opened = await open({ ttlMs: 1_000, touchIntervalMs: 1 });
    const { id } = await opened.store.create();
    opened.clock.now += 900;
    const session = method === 'inspect' ? await opened.store.inspect(id) : (await opened.store.list()).sessions[0];
    if (session === undefined) throw new Error('no session was found');
    const expiresAt = async () => (await opened.backend.readSession(id, opened.clock.now))?.expiresAt;
    return { ...opened, session, expiresAt };
  }

  it('renews nothing when state and log are read', async () => {
    const { session, calls, expiresAt } = await look();

    await session.state.get('a');
    await session.state.getEntry('a');
    await session.state.keys();
    await session.state.entries();
    await session.state.snapshot();
    await session.events.recent();
    await collect(session.events.replay());
    const abort = new AbortController();
    await collect(session.events.tail({ signal: abort.signal, onCaughtUp: () => abort.abort() }));

    expect(calls.take()).not.toContain('touchSession');
    expect(await expiresAt()).toBe(START + 1_000);
  });

  it('renews nothing when it writes', async () => {
    const { session, expiresAt } = await look();

    await session.state.set('a', 1);
    await session.state.update('a', () => 2);
    await session.state.patch({});
    await session.state.clear();
    await session.events.append('s', 1);
    await session.events.trim({ maxEvents: 0 });
    await session.updateMetadata(() => ({ a: 1 }));

    expect(await expiresAt()).toBe(START + 1_000);
    expect(session.expiresAt).toBe(START + 1_000);
  });

  it('renews the session when it is told to', async () => {
    const { session, expiresAt } = await look();

    await session.touch();

    expect(await expiresAt()).toBe(START + 1_900);
    expect(session.expiresAt).toBe(START + 1_900);
  });
});

describe('state.snapshot', () => {
  it('gives every key with its version, declared or not, as it is stored', async () => {
    const { store, backend } = await open();
    const { id, state } = await store.create();
    await state.set('b', { n: 1 });
    await state.patch({ a: null, __proto__: 1 });
    const strict = await open({ backend, state: {} });

    const found = await (await strict.store.inspect(id))?.state.snapshot();

    expect([...(found ?? [])]).toEqual([
      ['a', { value: null, version: 2 }],
      ['b', { value: { n: 1 }, version: 1 }],
    ]);
  });
});

describe('a session that is printed', () => {
  it('shows times, owner and client, and nothing that opens it', async () => {
    const { store } = await open();
    const { id } = await store.create({
      principal: 'alice',
      metadata: { token: 'secret-1' },
      protocol: {
        protocolVersion: '2025-11-25',
        initializeParams: { clientInfo: { name: 'inspector', version: '1.2' }, capabilities: { key: 'secret-2' } },
      },
    });
    const session = await store.get(id, { principal: 'alice' });
    await session?.state.set('a', 'secret-3');
    await session?.events.append('s', 'secret-4');

    for (const text of [inspect(session), JSON.stringify(session)]) {
      for (const shown of [
        id.slice(0, 13),
        'alice',
        '2023-11-14T22:13:20.000Z',
        'inspector 1.2',
        'token',
        '2025-11-25',
      ]) {
        expect(text).toContain(shown);
      }
      expect(text).not.toContain('secret');
      expect(text).not.toContain(id.slice(0, 15));
    }
    expect(inspect(session)).toMatch(/^Session \{/);
    const [listed] = (await store.list()).sessions;
    expect(inspect(listed)).toContain('counts: { events: 1, stateKeys: 1 }');
    expect(JSON.parse(JSON.stringify(listed))).toEqual({
      ...(JSON.parse(JSON.stringify(await store.inspect(id))) as object),
      counts: { events: 1, stateKeys: 1 },
    });
  });

  it('shows at most a quarter of an id that the application has made', async () => {
    const { store } = await open();
    const ids = ['abcdefghijklmnop', 'abc'];
    for (const id of ids) await store.create({ id, ttlMs: Number.MAX_SAFE_INTEGER });

    const shown = (await store.list()).sessions.map((session) => JSON.parse(JSON.stringify(session)) as unknown);

    expect(shown).toMatchObject([{ id: '…' }, { id: 'abcd…' }]);
  });
});

it('prints a store by its backend and its options', async () => {
  const { store } = await open({ ttlMs: 5_000 });

  expect(inspect(store)).toBe(
    "SessionStore {\n  backend: 'memory',\n  closed: false,\n  ttlMs: 5000,\n  maxLifetimeMs: undefined,\n  sweep: false\n}",
  );
  expect(JSON.parse(JSON.stringify(store))).toEqual({ backend: 'memory', closed: false, ttlMs: 5_000, sweep: false });
});
