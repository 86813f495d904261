import { createSessionStore } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { SessionError } from '../../src/lib/errors.ts';
import { intercept } from '../support/intercept.ts';
import { open } from '../support/open.ts';

const denied = new SessionError('STORE_DENIED', 'Session store was denied access');
const fail = (): Promise<never> => Promise.reject(denied);
const often = { intervalMs: 1 };

/** The lines that the console gets, and a promise of the first one. */
function watchConsole(): { readonly lines: () => unknown[]; readonly first: Promise<void> } {
  const { promise: first, resolve } = Promise.withResolvers<void>();
  const written = vi.spyOn(console, 'error').mockImplementation(() => resolve());
  onTestFinished(() => written.mockRestore());
  return { lines: () => written.mock.calls.map(([line]) => line as unknown), first };
}

describe('an error that no call waits for', () => {
  it('of a sweep reaches onError, each time', async () => {
    const { promise: thrice, resolve } = Promise.withResolvers<void>();
    const errors: unknown[] = [];
    const onError = (error: unknown): void => {
      if (errors.push(error) === 3) resolve();
    };
    const { store } = await open({ sweep: often, onError }, () => ({ sweep: fail }));

    await thrice;
    await store.close();
    expect(errors.slice(0, 3)).toEqual([denied, denied, denied]);
  });

  it('reaches the console by default, with what failed, once a minute', async () => {
    const { lines, first } = watchConsole();
    const calls: string[] = [];
    const observe = ({ name }: { readonly name: string }): void => void calls.push(name);
    const { store } = await open({ sweep: often, observe }, () => ({ sweep: fail }));

    await first;
    await vi.waitFor(() => expect(calls.filter((name) => name === 'sweep').length).toBeGreaterThan(3), 10_000);
    await store.close();
    expect(lines()).toEqual(['@mcp-session/core: sweep failed: STORE_DENIED (store)']);
  });

  it('goes to a logger with its fields', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown[]>();
    const quiet = (): void => undefined;
    const logger = { debug: quiet, info: quiet, warn: quiet, error: (...line: unknown[]) => resolve(line) };
    await open({ sweep: often, logger }, () => ({ sweep: fail }));

    expect(await promise).toEqual([{ err: denied }, '@mcp-session/core: sweep failed: STORE_DENIED (store)']);
  });

  it('of a trim reaches onError, and the append succeeds', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const { store } = await open({ retention: { maxEvents: 1 }, onError: resolve }, () => ({ trimEvents: fail }));
    const session = await store.create();

    for (let event = 0; event < 3; event++) await session.events.append('s', event);
    expect(await promise).toBe(denied);
  });

  it('of the renewal of a session that is read reaches onError, and the read succeeds', async () => {
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    const { store, clock } = await open({ ttlMs: 10_000, onError }, () => ({ touchSession: fail }));
    const session = await store.create();
    await session.state.set('a', 1);

    clock.now += 5_000;
    expect(await session.state.get('a')).toBe(1);
    expect(errors).toEqual([denied]);
  });

  it('is none if the close of the store cut the work off', async () => {
    const { lines } = watchConsole();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: sweeping, reject } = Promise.withResolvers<never>();
    const backend = intercept(createMemoryBackend(), {
      sweep: () => {
        begin();
        return sweeping;
      },
    });
    const store = await createSessionStore(backend, { sweep: often });

    await begun;
    const closing = store.close();
    reject(new SessionError('STORE_CLOSED', 'Session store is closed'));
    await closing;
    await new Promise((done) => setImmediate(done));
    expect(lines()).toEqual([]);
  });

  it('becomes a process warning if onError throws', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation((...warning: unknown[]) => resolve(warning));
    onTestFinished(() => warned.mockRestore());
    const onError = (): never => {
      throw new TypeError('mistake');
    };
    await open({ sweep: often, onError }, () => ({ sweep: fail }));

    expect(await promise).toEqual(['The onError of a session store threw: TypeError: mistake', 'SessionStoreWarning']);
  });
});

it.each([
  [{ onError: 'log' }, 'Option onError is not a function'],
  [{ logger: {} }, 'Option logger is an object without the function debug'],
])('options %o are refused', async (options, message) => {
  await expect(open(options as never)).rejects.toThrow(message);
});
