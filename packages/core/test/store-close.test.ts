import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Session } from '@mcp-session/core';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { codeOf, collect } from './support/errors.ts';
import { gate } from './support/intercept.ts';
import { open } from './support/open.ts';
import { updateProtocol } from './support/transport.ts';

describe('store.close', () => {
  it('makes every call reject with STORE_CLOSED', async () => {
    const { store } = await open();
    const session = await store.create();
    const id = await session.events.append('s', 1);

    await store.close();

    const uses: (() => Promise<unknown>)[] = [
      () => store.create(),
      () => store.get(session.id),
      () => store.get('malformed id'),
      () => store.list(),
      () => store.count(),
      () => store.sweep(),
      () => store.ping(),
      () => session.touch(),
      () => session.end(),
      () => session.updateMetadata(() => ({})),
      () => updateProtocol(session, () => ({})),
      () => session.state.get('a'),
      () => session.state.getEntry('a'),
      () => session.state.set('a', 1),
      () => session.state.compareAndSet('a', 1, 0),
      () => session.state.update('a', () => 1),
      () => session.state.remove('a'),
      () => session.state.keys(),
      () => session.state.entries(),
      () => session.state.patch({ a: 1 }),
      () => session.state.patch({}),
      () => session.state.clear(),
      () => session.events.append('s', 1),
      () => session.events.replay({ after: id }).next(),
      () => session.events.tail({ after: id }).next(),
      () => session.events.recent(1),
      () => session.events.trim({ maxEvents: 1 }),
      () => session.events.trim({ through: id }),
    ];
    for (const use of uses) expect(await codeOf(use), `use ${uses.indexOf(use)}`).toBe('STORE_CLOSED');
  });

  it('is idempotent, also at the same time, and closes the backend once', async () => {
    let closed = 0;
    const { store } = await open({}, (inner) => ({
      async close() {
        closed++;
        await inner.close();
      },
    }));

    await Promise.all([store.close(), store.close()]);
    await store.close();

    expect(closed).toBe(1);
  });

  it('waits for work that has begun, queued appends and their trims included', async () => {
    const { opened, open: goOn } = gate();
    const log: string[] = [];
    const { store } = await open({ retention: { maxEvents: 2 } }, (inner) => ({
      async appendEvents(batch, now) {
        await opened;
        log.push(`append ${batch[0]?.events.length}`);
        return inner.appendEvents(batch, now);
      },
      async trimEvents(sessionId, bound, now) {
        log.push('trim begins');
        await new Promise((done) => setImmediate(done));
        log.push('trim ends');
        return inner.trimEvents(sessionId, bound, now);
      },
      async close() {
        log.push('close');
        await inner.close();
      },
    }));
    const session = await store.create();
    const first = session.events.append('s', 1);
    await Promise.resolve();
    const queued = [2, 3, 4].map((message) => session.events.append('s', message));

    const closing = store.close();
    goOn();
    const ids = await Promise.all([first, ...queued]);
    await closing;

    expect(ids).toHaveLength(4);
    expect(log.filter((line) => line.startsWith('append'))).toEqual(['append 1', 'append 3']);
    expect(log.at(-1)).toBe('close');
    expect(log.filter((line) => line === 'trim ends')).toEqual(log.filter((line) => line === 'trim begins'));
  });

  it('waits for calls that were made just before it', async () => {
    const { store } = await open();
    const session = await store.create();

    const calls = [
      session.state.set('a', 1),
      session.state.remove('b'),
      session.state.clear(),
      session.state.update('c', () => 1),
      session.events.append('s', 1),
      session.updateMetadata(() => ({ plan: 'free' })),
    ];
    await store.close();

    expect((await Promise.allSettled(calls)).map(({ status }) => status)).toEqual(calls.map(() => 'fulfilled'));
  });

  it('lets a trim that has begun end before the backend is closed', async () => {
    const { opened, open: goOn } = gate();
    const { opened: trimming, open: begun } = gate();
    const log: string[] = [];
    const { store } = await open({ retention: { maxEvents: 1 } }, (inner) => ({
      async trimEvents(sessionId, bound, now) {
        begun();
        await opened;
        log.push('trimmed');
        return inner.trimEvents(sessionId, bound, now);
      },
      async close() {
        log.push('closed');
        await inner.close();
      },
    }));
    const session = await store.create();
    await Promise.all([session.events.append('s', 1), session.events.append('s', 2)]);
    await trimming;

    const closing = store.close();
    goOn();
    await closing;

    expect(log).toEqual(['trimmed', 'closed']);
  });

  it('lets a get that has begun succeed', async () => {
    const { opened, open: goOn } = gate();
    const { store, clock } = await open({ touchIntervalMs: 1 }, (inner) => ({
      async readSession(id, now) {
        await opened;
        return inner.readSession(id, now);
      },
    }));
    const { id } = await store.create();
    clock.now += 1;

    const got = store.get(id);
    const closing = store.close();
    goOn();

    expect((await got)?.id).toBe(id);
    await closing;
  });

  it('ends tails that wait and tails that read, without an error', async () => {
    const { store, calls } = await open();
    const session = await store.create();
    await session.events.append('s', 1);
    const waiting = collect(session.events.tail());
    await calls.next('readEvents');
    const slow = session.events.tail();
    await slow.next();

    await store.close();

    expect((await waiting).map(({ message }) => message)).toEqual([1]);
    expect(await slow.next()).toEqual({ done: true, value: undefined });
  });

  it('closes the backend even if the hints cannot be stopped', async () => {
    const backend = createMemoryBackend();
    const { store } = await open({ backend }, () => ({
      watch: () => Promise.resolve(() => Promise.reject(new Error('socket hang up'))),
    }));
    await tailOnce(await store.create());

    await expect(store.close()).rejects.toThrow('socket hang up');
    await expect(backend.ping()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });

  it('leaves no timer behind', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { store, calls } = await open({ sweep: { intervalMs: 1_000 } });
    const tail = collect((await store.create()).events.tail());
    await calls.next('readEvents');
    await new Promise((done) => setImmediate(done));
    expect(vi.getTimerCount()).toBe(2);

    await store.close();

    expect(await tail).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves the sessions stored', async () => {
    const backend = createMemoryBackend();
    const { store } = await open({ backend }, () => ({ close: () => Promise.resolve() }));
    const { id } = await store.create();
    await store.close();

    const again = await open({ backend });

    expect((await again.store.get(id))?.id).toBe(id);
  });
});

async function tailOnce(session: Session): Promise<void> {
  await session.events.append('s', 1);
  for await (const event of session.events.tail()) if (event.seq === 1) return;
}

describe('a process with an open store', () => {
  it('ends by itself while a tail waits', async () => {
    const file = new URL('support/exits-by-itself.ts', import.meta.url).pathname;

    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--conditions=@mcp-session/source', file], {
      timeout: 20_000,
    });

    expect(stdout).toBe('waiting after "first"');
    expect(stderr).not.toContain('Error');
  });
});
