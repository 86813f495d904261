import type { Operation, OperationName } from '@mcp-session/core';
import { SessionError } from '@mcp-session/core';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { codeOf } from '../support/errors.ts';
import { gate } from '../support/intercept.ts';
import { open } from '../support/open.ts';

describe('the option observe', () => {
  it('gets every kind of call, by the name of the backend’s method', async () => {
    const seen: Operation[] = [];
    const { opened: polled, open: heads } = gate();
    const { store, clock } = await open(
      { observe: (operation) => seen.push(operation), touchIntervalMs: 1 },
      (inner) => ({
        capabilities: { ...inner.capabilities, poll: { minMs: 1, maxMs: 1 } },
        watch: () => Promise.resolve(() => Promise.resolve()),
        readHeads: (ids, now) => {
          heads();
          return inner.readHeads(ids, now);
        },
      }),
    );
    const session = await store.create({ principal: 'principal-x', metadata: { secret: 'metadata-x' } });
    const tail = session.events.tail().next();
    clock.now += 1;
    await store.get(session.id, { principal: 'principal-x' });
    await store.list();
    await store.count();
    await store.countByKind();
    await store.sweep();
    await store.ping();
    await session.updateMetadata(() => ({}));
    await session.state.set('key-x', 'value-x');
    await session.state.get('key-x');
    await session.state.clear();
    await polled;
    await session.events.append('stream-x', 'message-x');
    await session.events.trim({ maxEvents: 0 });
    await tail;
    await session.end();

    const names: OperationName[] = [
      'appendEvents',
      'clearState',
      'commitState',
      'countKinds',
      'countSessions',
      'createSession',
      'endSession',
      'listSessions',
      'migrate',
      'ping',
      'readEvents',
      'readHeads',
      'readSession',
      'readState',
      'sweep',
      'touchSession',
      'trimEvents',
      'updateSession',
      'watch',
    ];
    expect([...new Set(seen.map(({ name }) => name))].toSorted()).toEqual(names);
    for (const operation of seen) {
      expect(Object.keys(operation).toSorted()).toEqual(['backend', 'code', 'durationMs', 'name', 'outcome', 'size']);
      expect(operation).toMatchObject({ backend: 'memory', outcome: 'ok', code: undefined });
      expect(operation.durationMs).toBeGreaterThanOrEqual(0);
    }
    expect(JSON.stringify(seen)).not.toMatch(new RegExp(`-x|${session.id}`));
  });

  it('gets the duration of a call', async () => {
    let time = 1_000;
    const { store, calls } = await open({}, () => ({
      ping: () => {
        time += 42;
        return Promise.resolve();
      },
    }));
    const now = vi.spyOn(performance, 'now').mockImplementation(() => time);
    onTestFinished(() => now.mockRestore());
    const operation = calls.next('ping');

    await store.ping();

    expect((await operation).durationMs).toBe(42);
  });

  it('gets failures by their code', async () => {
    const seen: Operation[] = [];
    let error: Error = new SessionError('STORE_READ_ONLY', 'File is read-only');
    const { store } = await open({ observe: (operation) => seen.push(operation) }, () => ({
      ping: () => Promise.reject(error),
    }));
    seen.length = 0;

    expect(await codeOf(() => store.ping())).toBe('STORE_READ_ONLY');
    error = new TypeError('driver');
    expect(await codeOf(() => store.ping())).toBe('STORE_FAILED');

    expect(seen.map(({ name, outcome, code }) => [name, outcome, code])).toEqual([
      ['ping', 'error', 'STORE_READ_ONLY'],
      ['ping', 'error', 'STORE_FAILED'],
    ]);
  });

  it('gets the number of events of a batch, and of sessions that a sweep removed', async () => {
    const seen: Operation[] = [];
    const { store, clock } = await open({ observe: (operation) => seen.push(operation), ttlMs: 1_000 });
    const sessions = await Promise.all(Array.from({ length: 3 }, () => store.create()));
    seen.length = 0;

    await Promise.all(sessions.flatMap(({ events }) => [events.append('a', 1), events.append('a', 2)]));
    clock.now += 1_000;
    await store.sweep();
    await store.count();

    const sizeOf = (name: OperationName): (number | undefined)[] =>
      seen.filter((operation) => operation.name === name).map(({ size }) => size);
    expect(sizeOf('appendEvents').reduce((sum: number, size) => sum + (size ?? Number.NaN), 0)).toBe(6);
    expect(sizeOf('sweep').reduce((sum: number, size) => sum + (size ?? Number.NaN), 0)).toBe(3);
    expect(sizeOf('countSessions')).toEqual([undefined]);
  });

  it('does not see calls that were refused before the backend was asked', async () => {
    const { store, calls } = await open();
    await codeOf(() => store.create({ id: '' }));
    await store.get('malformed id');
    const session = await store.create();
    await codeOf(() => session.state.set('a', Number.NaN));

    expect(calls.take()).toEqual(['createSession']);
  });

  it.each<[string, () => unknown]>([
    ['throws', () => expect.fail('from the observer')],
    ['rejects', () => Promise.reject(new Error('from the observer'))],
    ['throws what is no error', () => raise(Object.create(null))],
  ])('that %s changes nothing and becomes a warning of the process', async (_what, observe) => {
    const { promise: warned, resolve } = Promise.withResolvers<unknown[]>();
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation((...args: unknown[]) => resolve(args));
    onTestFinished(() => warn.mockRestore());
    const { store } = await open({ observe });

    const session = await store.create();
    expect(await session.state.set('a', 1)).toBe(1);
    expect(await codeOf(() => session.state.compareAndSet('a', 1, 9))).toBe('STATE_CONFLICT');

    expect(await warned).toEqual([
      expect.stringContaining('The observer of a session store threw: '),
      'SessionStoreWarning',
    ]);
  });

  it('measures nothing without an observer', async () => {
    const looks = async (observe: (() => void) | undefined): Promise<number> => {
      const { store } = await open({ observe } as object);
      const session = await store.create();
      // It stands still: the event loop's budget looks at it as well, and again when it is spent.
      const now = vi.spyOn(performance, 'now').mockReturnValue(0);
      for (let n = 0; n < 10; n++) await session.state.set('a', n);
      const { length } = now.mock.calls;
      now.mockRestore();
      return length;
    };

    // Each call to the backend is timed by two looks at the clock.
    expect((await looks(() => undefined)) - (await looks(undefined))).toBe(20);
  });
});

function raise(what: unknown): never {
  throw what as Error;
}
