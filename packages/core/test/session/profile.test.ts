import type { JsonValue, Metadata, Session } from '@mcp-session/core';
import { transportOf } from '@mcp-session/core/transport';
import { describe, expect, it } from 'vitest';
import { codeOf, errorOf } from '../support/errors.ts';
import { open } from '../support/open.ts';
import { updateProtocol } from '../support/transport.ts';

describe('metadata and protocol facts', () => {
  it('are replaced by the result of an update, for every later handle', async () => {
    const { store } = await open();
    const session = await store.create({ metadata: { a: 1 }, protocol: { logLevel: 'info' } });

    expect(await session.updateMetadata((current) => ({ ...current, b: 2 }))).toEqual({ a: 1, b: 2 });
    expect(await updateProtocol(session, (current) => ({ ...current, initialized: true }))).toEqual({
      logLevel: 'info',
      initialized: true,
    });

    for (const handle of [session, await store.get(session.id)]) {
      expect(handle?.metadata).toEqual({ a: 1, b: 2 });
      expect(handle?.protocol).toEqual({ logLevel: 'info', initialized: true });
    }
  });

  it('are stored as updates return them, even if the caller mutates what a handle returned', async () => {
    const { store } = await open();
    const session = await store.create({ metadata: { a: { b: 1 } } });
    (session.metadata as { a: { b: number } }).a.b = 2;

    await updateProtocol(session, (current) => ({ ...current, initialized: true }));
    expect((await store.get(session.id))?.metadata).toEqual({ a: { b: 1 } });
    expect(session.metadata).toEqual({ a: { b: 1 } });
  });

  it('lose a protocol fact that becomes undefined', async () => {
    const { store } = await open();
    const session = await store.create({
      protocol: { logLevel: 'info', protocolVersion: '2025-11-25', initialized: undefined },
    });

    expect(session.protocol).toEqual({ logLevel: 'info', protocolVersion: '2025-11-25' });
    await updateProtocol(session, (current) => ({ ...current, logLevel: undefined }));
    expect((await store.get(session.id))?.protocol).toEqual({ protocolVersion: '2025-11-25' });
  });

  it('keep odd keys', async () => {
    const { store } = await open();
    const metadata = JSON.parse(
      '{"__proto__":{"a":1},"constructor":"c","a.b\\"":"\\u0000","\\ud800":"\\udfff"}',
    ) as Metadata;

    const { id } = await store.create({ metadata });

    const found = await store.get(id);
    expect(JSON.stringify(found?.metadata)).toBe(JSON.stringify(metadata));
    expect(JSON.stringify(await found?.updateMetadata((current) => current))).toBe(JSON.stringify(metadata));
  });

  it('do not lose concurrent updates of several handles', async () => {
    const { store } = await open();
    const { id } = await store.create({ metadata: { n: 0 } });
    const handles = await Promise.all([store.get(id), store.get(id), store.get(id)]);

    await Promise.all(
      handles.flatMap((handle) =>
        Array.from({ length: 5 }, async () => handle?.updateMetadata(({ n }) => ({ n: Number(n) + 1 }))),
      ),
    );
    await updateProtocol(handles[0] as Session, () => ({ initialized: true }));

    const found = await store.get(id);
    expect(found?.metadata).toEqual({ n: 15 });
    expect(found?.protocol).toEqual({ initialized: true });
  });

  it('can be changed concurrently in one process, through one handle or several', async () => {
    const { store } = await open();
    const session = await store.create({ metadata: { n: 0 } });
    const add = ({ n }: Metadata) => ({ n: Number(n) + 1 });
    const handles = await Promise.all(Array.from({ length: 60 }, () => store.get(session.id)));

    await Promise.all([
      ...handles.map((handle) => handle?.updateMetadata(add)),
      ...Array.from({ length: 60 }, () => session.updateMetadata(add)),
    ]);
    expect((await store.get(session.id))?.metadata).toEqual({ n: 120 });
  });

  it('give up after 50 lost attempts with a retryable error', async () => {
    const { store } = await open({}, (inner) => ({
      async updateSession(id, change, now) {
        const row = await inner.readSession(id, now);
        await inner.updateSession(
          id,
          { ...change, profile: change.profile && { ...change.profile, expectedVersion: row?.version ?? 0 } },
          now,
        );
        return inner.updateSession(id, change, now);
      },
    }));
    const session = await store.create();
    let attempts = 0;

    const update = session.updateMetadata(() => ({ attempt: attempts++ }));

    await expect(update).rejects.toMatchObject({ code: 'PROFILE_CONFLICT', retryable: true });
    expect(attempts).toBe(50);
  });

  it.each([
    ['a date', new Date(0)],
    ['NaN', Number.NaN],
    ['a map', new Map()],
    ['a BigInt', 1n],
  ])('refuse what JSON cannot hold: %s', async (_what, value) => {
    const { store } = await open();
    const session = await store.create({ metadata: { kept: true } });
    const bad = { bad: value as JsonValue };

    expect(await codeOf(() => store.create({ metadata: bad }))).toBe('NOT_JSON');
    expect(await errorOf(() => store.create({ metadata: { d: new Date() } as never }))).toMatchObject({
      message:
        'Metadata of a session holds what JSON cannot hold: an object of class Date at d; give its toISOString()',
    });
    expect(await errorOf(() => store.create({ protocol: { initializeParams: { n: 1n } } as never }))).toMatchObject({
      message: 'Protocol of a session holds what JSON cannot hold: a bigint at initializeParams.n; give its toString()',
    });
    expect(await codeOf(() => session.updateMetadata(() => bad))).toBe('NOT_JSON');
    expect(await codeOf(() => updateProtocol(session, () => ({ serverCapabilities: bad })))).toBe('NOT_JSON');
    expect(await store.count()).toBe(1);
    expect((await store.get(session.id))?.metadata).toEqual({ kept: true });
  });

  it('lose properties that are undefined', async () => {
    const { store } = await open();
    const none = undefined as unknown as JsonValue;
    const session = await store.create({
      metadata: { plan: none, user: { name: none } },
      protocol: { logLevel: none as never },
    });

    expect((await store.get(session.id))?.metadata).toStrictEqual({ user: {} });
    expect((await store.get(session.id))?.protocol).toStrictEqual({});
    expect(session.metadata).toStrictEqual({ user: {} });
  });

  it('are refused by size before they are searched for faults', async () => {
    const { store } = await open();

    expect(
      await codeOf(() => store.create({ metadata: { text: 'x'.repeat(262_144), at: new Date(0) as never } })),
    ).toBe('PROFILE_TOO_LARGE');
  });

  it.each([5, 'text', [], new Date(0), undefined, null])('refuse %j instead of an object', async (value) => {
    const session = await (await open()).store.create({ metadata: { kept: true } });
    const given = value as unknown as Metadata;

    expect(await codeOf(() => session.updateMetadata(() => given))).toBe('TypeError');
    expect(await codeOf(() => updateProtocol(session, () => given))).toBe('TypeError');
    expect(session.metadata).toEqual({ kept: true });
  });

  it('are refused above 256 KiB together, and nothing is written', async () => {
    const { store } = await open();
    const overhead = JSON.stringify({ metadata: { text: '' }, protocol: {} }).length;
    const fits = { text: 'a'.repeat(262_144 - overhead) };
    const tooMuch = { text: `${fits.text}a` };

    const session = await store.create({ metadata: fits });
    expect(await codeOf(() => store.create({ metadata: tooMuch }))).toBe('PROFILE_TOO_LARGE');
    expect(await codeOf(() => session.updateMetadata(() => tooMuch))).toBe('PROFILE_TOO_LARGE');
    expect((await store.get(session.id))?.metadata).toEqual(fits);
  });

  it('neither show nor store what a failed change did to its copy', async () => {
    const { store } = await open();
    const session = await store.create({ metadata: { list: [1] } });

    const update = session.updateMetadata((current) => {
      (current['list'] as number[]).push(2);
      throw new Error('changed my mind');
    });

    await expect(update).rejects.toThrow('changed my mind');
    await updateProtocol(session, () => ({ initialized: true }));
    expect(session.metadata).toEqual({ list: [1] });
    expect((await store.get(session.id))?.metadata).toEqual({ list: [1] });
  });

  it('refuse an asynchronous change, also one that rejects later', async () => {
    const { store } = await open();
    const session = await store.create();
    const change = (() => Promise.reject(new Error('later'))) as unknown as () => never;

    expect(await codeOf(() => session.updateMetadata(change))).toBe('TypeError');
    expect(await codeOf(() => transportOf(session).updateTransport(change))).toBe('TypeError');
  });
});
