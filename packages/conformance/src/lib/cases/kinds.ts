import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import type { SessionStore } from '@mcp-session/core';
import { HOUR, NOW, range } from '../actions.ts';
import { isolatedCase, sharedCase, type Case } from '../case.ts';
import { openDefaultHandle } from '../commands.ts';
import { rejects, same } from '../findings.ts';

/** A store whose clock the case turns. It is never closed, because that would close the backend. */
async function storeAt(backend: SessionBackend, clock: { readonly now: number }): Promise<SessionStore> {
  return createSessionStore(backend, { sweep: false, clock: () => clock.now });
}

/** What core makes of sessions of other kinds than the protocol's. */
export const kindCases: readonly Case[] = [
  sharedCase('store.user.one', 'begun by two handles and two processes at once', async (t) => {
    const principal = t.id('alice');
    const command = { do: 'increment-user', principal, key: 'n', count: 15, now: NOW } as const;
    const users = await Promise.all(
      (await t.handles(2)).map(async (backend) => (await storeAt(backend, { now: NOW })).forPrincipal(principal)),
    );
    const own = users.flatMap(({ state }) =>
      range(1, 15).map(() => state.update('n', (n: unknown) => (typeof n === 'number' ? n : 0) + 1)),
    );
    await Promise.all([...own, ...(await t.peers(2)).map((peer) => peer.run(command))]);
    same(await users[0]?.state.get('n'), 60, 'a number of a user that 4 writers incremented 15 times each');
    const other = (await storeAt(t.backend, { now: NOW })).forPrincipal(t.id('bob'));
    same(await other.state.keys(), [], 'keys of another user');
  }),

  isolatedCase('store.user.one', 'anew after its end and after its expiry, before any sweep', async (t) => {
    const clock = { now: NOW };
    const store = await storeAt(t.backend, clock);
    const user = store.forPrincipal('alice', { ttlMs: HOUR });
    await user.state.set('old', 1);
    same(await user.end(), true, 'end of the record of a user');
    same(await user.state.keys(), [], 'keys of a user whose record was ended');
    await user.state.set('new', 2);
    same(await store.forPrincipal('alice').state.keys(), ['new'], 'keys of a user whose record began anew');
    clock.now += HOUR;
    same(await user.state.keys(), [], 'keys of a user whose record has expired');
    await user.state.set('newer', 3);
    same(await store.forPrincipal('alice').state.keys(), ['newer'], 'keys of a user after an expiry');
  }),

  sharedCase('store.handle.default', 'asked for by two handles and two processes at once', async (t) => {
    const { id: sessionId } = await (await storeAt(t.backend, { now: NOW })).create();
    const command = { do: 'default-handle', sessionId, name: t.kind, now: NOW } as const;
    const [handles, peers] = [await t.handles(2), await t.peers(2)];
    const ids = await Promise.all([
      ...range(1, 8).map((n) => openDefaultHandle(handles[n % handles.length] ?? t.backend, command)),
      ...peers.flatMap((peer) => range(1, 4).map(() => peer.run(command))),
    ]);
    same([ids.length, new Set(ids).size], [16, 1], 'number of callers, and of handles that they got');
    same(await openDefaultHandle(t.backend, command), ids[0], 'default handle of a session that has one');
  }),

  isolatedCase('store.kind.expired', 'told to its owner alone, until the grace is over', async (t) => {
    const clock = { now: NOW };
    const store = await storeAt(t.backend, clock);
    const carts = store.ofKind('cart', { ttlMs: HOUR, graceMs: 10 * HOUR });
    const cart = await carts.create({ principal: 'alice' });
    await cart.state.set('a', 1);
    clock.now += HOUR - 1;
    same(await (await carts.get(cart.id, { principal: 'alice' }))?.state.get('a'), 1, 'state of a live session');
    clock.now = NOW + 2 * HOUR;
    await rejects(() => cart.state.get('a'), 'SESSION_NOT_FOUND', 'get of state of an expired session');
    await rejects(() => cart.state.set('a', 2), 'SESSION_NOT_FOUND', 'set of state of an expired session');
    const ask = async (principal: string | null) => carts.find(cart.id, { principal });
    same(await ask('bob'), undefined, 'find of an expired session of another principal');
    same(await ask(null), undefined, 'find of an expired session of a principal by nobody');
    clock.now = NOW + 12 * HOUR - 2;
    await store.sweep();
    same((await ask('alice'))?.status, 'expired', 'find of an expired session by its owner');
    clock.now = NOW + 12 * HOUR;
    same(await ask('alice'), undefined, 'find of an expired session after its grace');
    same(await store.sweep(), 1, 'sessions that a sweep removes after the grace');
  }),
];
