import type { ListSessionsOptions } from '@mcp-session/core';
import { createMemoryStore } from '@mcp-session/core/memory';
import { describe, expect, it } from 'vitest';
import { start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { type Node, startNodes } from '../support/nodes.ts';

const news = { method: 'notifications/message', params: { level: 'info', data: 'news' } };

describe.each(lines)('broadcast, SDK $name', (line) => {
  it('every session gets it on every node, at the latest when its client listens, and no other client does', async () => {
    const nodes = await startNodes(line, 2);
    const [a, b] = nodes as [Node, Node];
    const clients = [];
    for (const [node, authorization] of [
      [a, 'Bearer i|ada'],
      [b, 'Bearer i|ada'],
      [a, 'Bearer i|bob'],
      [b, undefined],
    ] as const) {
      const client = node.raw(authorization === undefined ? {} : { authorization });
      await client.begin();
      clients.push(client);
    }
    // Two listen before, on another node than the one that they began on, and two afterwards.
    const here = [b.raw(clients[0]?.headers), a.raw(clients[1]?.headers)];
    const open = [await here[0]?.get(), await here[1]?.get()];
    await a.store.create({ principal: 'not over HTTP' });
    expect(await a.handler.broadcast(news)).toBe(4);
    expect(await b.handler.broadcast({ ...news, params: { for: 'ada' } }, { principal: 'i|ada' })).toBe(2);
    expect(await b.handler.broadcast({ method: 'notifications/nobody' }, { principal: null })).toBe(1);
    open.push(await clients[2]?.get(), await clients[3]?.get());
    const expected = [{ for: 'ada' }, { for: 'ada' }, undefined, undefined];
    for (const [index, answer] of open.entries()) {
      expect((await answer?.sse.message())?.message).toEqual({ jsonrpc: '2.0', ...news });
      if (index === 2) continue;
      const { message } = (await answer?.sse.message()) ?? {};
      expect(message).toMatchObject(index === 3 ? { method: 'notifications/nobody' } : { params: expected[index] });
    }
    for (const answer of open) await answer?.cancel();
  });

  it('more sessions than one page of the store holds get it, except one that ends meanwhile', async () => {
    const ended: string[] = [];
    const memory = await createMemoryStore();
    // The first page was read, and then a session of it ended.
    const store = new Proxy(memory, {
      get: (target, name) => {
        if (name !== 'list') {
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        }
        return async (query: ListSessionsOptions) => {
          const page = await target.list(query);
          const last = page.sessions.at(-1);
          if (ended.length === 0 && last !== undefined && (await last.end())) ended.push(last.id);
          return page;
        };
      },
    });
    const { handler } = await start(line, { store });
    const count = 230;
    const sessions = [];
    for (let i = 0; i < count; i++) sessions.push(await memory.create({ protocol: { protocolVersion: '2025-11-25' } }));
    expect(await handler.broadcast(news)).toBe(count - 1);
    expect(ended).toHaveLength(1);
    for (const session of sessions) {
      if (!ended.includes(session.id)) {
        expect((await session.events.recent(2)).map(({ message }) => message)).toEqual([{ jsonrpc: '2.0', ...news }]);
      }
    }
  });

  it('it keeps no session alive, and counts no ended session', async () => {
    let now = 1_000_000;
    const { raw, handler, store } = await start(line, { memory: { clock: () => now, ttlMs: 60_000 } });
    const ids = [await raw().begin(), await raw().begin()];
    await (await store.get(ids[1] ?? ''))?.end();
    for (let minute = 0; minute < 4; minute++) {
      now += 15_000;
      expect(await handler.broadcast(news)).toBe(minute < 3 ? 1 : 0);
    }
    expect(await store.get(ids[0] ?? '')).toBeUndefined();
  });

  it('what is no notification is an error, and reaches nobody', async () => {
    const { raw, handler, store } = await start(line);
    const session = await store.get(await raw().begin());
    const before = await session?.events.recent(10);
    for (const [given, message] of [
      [undefined, 'A broadcast takes { method, params }, not undefined'],
      ['notifications/x', 'A broadcast takes { method, params }, not a string'],
      [{}, 'Method of a broadcast is undefined, not a string'],
      [{ ...news, params: 'a' }, 'Params of a broadcast are a string, not a plain object'],
      [{ ...news, params: [1] }, 'Params of a broadcast are an array, not a plain object'],
      [{ ...news, params: new Map() }, 'Params of a broadcast are an object of class Map, not a plain object'],
    ] as const) {
      await expect(handler.broadcast(given as never)).rejects.toThrow(new TypeError(message));
    }
    expect(await session?.events.recent(10)).toEqual(before);
  });

  it('a principal that is undefined is an error and never means all sessions', async () => {
    const { raw, handler } = await start(line);
    await raw().begin();
    // As it comes of a lookup that found nobody; the compiler refuses it only where it is told to.
    const user: { readonly principal?: string } = {};

    await expect(handler.broadcast(news, { principal: user.principal } as never)).rejects.toThrow(
      new TypeError('Option principal of broadcast is undefined; give null for nobody, or leave it out for all'),
    );
    await expect(handler.broadcast(news, { to: 'ada' } as never)).rejects.toThrow(
      new TypeError('Unknown option to of broadcast; did you mean principal?'),
    );
    expect(await handler.broadcast(news, {})).toBe(1);
  });
});
