import { describe, expect, it } from 'vitest';
import { codeOf, errorOf } from './support/errors.ts';
import { open, START } from './support/open.ts';

describe('store.create', () => {
  it('makes a session with the defaults', async () => {
    const { store } = await open();

    const session = await store.create();

    expect(session).toMatchObject({
      kind: 'session',
      principal: null,
      createdAt: START,
      lastActiveAt: START,
      expiresAt: START + 1_800_000,
      metadata: {},
      protocol: {},
    });
    expect(session.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('keeps what it is given', async () => {
    const { store } = await open();

    const made = await store.create({
      id: 'own',
      kind: 'node',
      principal: 'iss|alice',
      metadata: { plan: 'free' },
      protocol: { protocolVersion: '2025-11-25' },
    });
    const found = await store.get('own', { principal: 'iss|alice', kind: 'node' });

    for (const session of [made, found]) {
      expect(session).toMatchObject({
        id: 'own',
        kind: 'node',
        principal: 'iss|alice',
        metadata: { plan: 'free' },
        protocol: { protocolVersion: '2025-11-25' },
      });
    }
  });

  it('accepts the ids that the protocol allows, byte by byte', async () => {
    const { store } = await open();

    for (const id of ['!', '~', 'a'.repeat(255), '__proto__', 'A', 'a']) await store.create({ id });

    expect((await store.get('a'))?.id).toBe('a');
    expect((await store.get('A'))?.id).toBe('A');
    expect((await store.get('__proto__'))?.id).toBe('__proto__');
  });

  it.each([
    ['empty', ''],
    ['256 characters', 'a'.repeat(256)],
    ['a space', 'a b'],
    ['a line feed at the end', 'a\n'],
    ['U+0000', 'a\0'],
    ['a control character', '\u007f'],
    ['beyond ASCII', 'ü'],
    ['a lone surrogate', '\ud800'],
    ['a number', 5],
    ['null', null],
    ['an object', {}],
  ])('refuses an id that is malformed: %s', async (_what, id) => {
    const { store } = await open();

    expect(await codeOf(() => store.create({ id: id as string }))).toBe('INVALID_SESSION_ID');
    expect(await store.count()).toBe(0);
  });

  it.each([
    ['empty', ''],
    ['upper case', 'Session'],
    ['a digit first', '1a'],
    ['65 characters', 'a'.repeat(65)],
    ['a line feed at the end', 'a\n'],
    ['a lone surrogate', '\udfff'],
    ['a number', 5],
  ])('refuses a kind that is malformed: %s', async (_what, kind) => {
    const { store } = await open();

    expect(await codeOf(() => store.create({ kind: kind as string }))).toBe('INVALID_KIND');
    expect(await codeOf(() => store.count({ kind: kind as string }))).toBe('INVALID_KIND');
    expect(await codeOf(() => store.list({ kind: kind as string }))).toBe('INVALID_KIND');
  });

  it.each([
    ['empty', ''],
    ['U+0000', 'a\0b'],
    ['a lone surrogate', 'a\ud800'],
    ['1,025 bytes', 'a'.repeat(1_025)],
    ['1,026 bytes in 342 characters', '€'.repeat(342)],
    ['a number', 5],
    ['an object', { toString: () => 'alice' }],
  ])('refuses a principal that is malformed, and keeps it out of the message: %s', async (_what, given) => {
    const { store } = await open();
    const principal = given as string;

    expect(await codeOf(() => store.create({ principal }))).toBe('INVALID_PRINCIPAL');
    expect(await codeOf(() => store.get('any', { principal }))).toBe('INVALID_PRINCIPAL');
    expect(await codeOf(() => store.list({ principal }))).toBe('INVALID_PRINCIPAL');
    expect(await codeOf(() => store.count({ principal }))).toBe('INVALID_PRINCIPAL');
    expect(String(await errorOf(() => store.create({ principal })))).not.toContain('aaa');
  });

  it('accepts principals of up to 1,024 bytes of any text', async () => {
    const { store } = await open();

    for (const principal of ['a'.repeat(1_024), '€'.repeat(341), ' ', '__proto__', '😀']) {
      expect((await store.create({ principal })).principal).toBe(principal);
    }
  });

  it('refuses an id that is taken by a live, an expired or an ended session, and replaces nothing', async () => {
    const { store, clock } = await open({ ttlMs: 1_000, tombstoneMs: 10_000 });
    const live = await store.create({ id: 'live', metadata: { first: true } });
    await live.state.set('kept', 1);
    await store.create({ id: 'expired' });
    await (await store.create({ id: 'ended' })).end();
    clock.now += 999;
    await live.state.set('renewed', 1);
    clock.now += 1;

    for (const id of ['live', 'expired', 'ended']) {
      expect(await codeOf(() => store.create({ id }))).toBe('SESSION_EXISTS');
    }
    expect((await store.get('live'))?.metadata).toEqual({ first: true });
    expect(await live.state.get('kept')).toBe(1);
    expect(await store.get('expired')).toBeUndefined();
    expect(await store.get('ended')).toBeUndefined();
  });

  it('lets exactly one of two racing creates win', async () => {
    const { store } = await open();

    const outcomes = await Promise.all(Array.from({ length: 10 }, () => codeOf(() => store.create({ id: 'same' }))));

    expect(outcomes.toSorted()).toEqual([...Array<string>(9).fill('SESSION_EXISTS'), 'none']);
  });

  it('accepts a lifetime of its own, and refuses an invalid one', async () => {
    const { store } = await open();

    expect((await store.create({ ttlMs: 500 })).expiresAt).toBe(START + 500);
    expect((await store.create({ maxLifetimeMs: 300 })).expiresAt).toBe(START + 300);
    expect((await store.create({ ttlMs: Number.MAX_SAFE_INTEGER })).expiresAt).toBe(Number.MAX_SAFE_INTEGER);
    for (const value of [0, -1, 1.5, Number.NaN, Infinity]) {
      expect(await codeOf(() => store.create({ ttlMs: value }))).toBe('RangeError');
      expect(await codeOf(() => store.create({ maxLifetimeMs: value }))).toBe('RangeError');
    }
    expect(await codeOf(() => store.create({ ttlMs: '5' as unknown as number }))).toBe('TypeError');
  });
});
