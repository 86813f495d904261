import type { SessionStore } from '@mcp-session/core';
import { createMemoryStore, type MemoryStoreOptions } from '@mcp-session/core/memory';
import { onTestFinished } from 'vitest';
import type { SessionHandler } from '../../src/v1.ts';
import type { Line, TestAuth, TestOptions, TestServer } from './line.ts';
import { RawClient } from './raw.ts';
import { type Served, serve } from './serve.ts';

export interface Harness {
  readonly store: SessionStore;
  readonly handler: SessionHandler<TestAuth>;
  readonly served: Served;
  readonly url: URL;
  /** What the handler reported. */
  readonly errors: unknown[];
  raw(headers?: Record<string, string>): RawClient;
  /**
   * Puts a new handler on the same store in the place of the first, as a restart of the process
   * would, or another node.
   */
  another(options?: Partial<TestOptions>): SessionHandler<TestAuth>;
}

export type HarnessOptions = Partial<Omit<TestOptions, 'serve'>> & {
  readonly tools?: TestServer['tools'];
  readonly serve?: TestOptions['serve'];
  readonly memory?: MemoryStoreOptions;
};

/** A handler on a store in memory, behind a real socket; gone when the test is. */
export async function start(line: Line, { tools = {}, memory = {}, ...given }: HarnessOptions = {}): Promise<Harness> {
  const store = given.store ?? (await createMemoryStore(memory));
  const errors: unknown[] = [];
  const options: TestOptions = {
    serve: () => ({ tools }),
    onError: (error) => void errors.push(error),
    ...given,
    store,
  };
  const handlers = [line.createHandler(options)];
  const [handler] = handlers as [SessionHandler<TestAuth>];
  const served = await serve(handler);
  onTestFinished(async () => {
    await Promise.all(handlers.map((each) => each.close()));
    await served.close();
    await store.close();
  });
  return {
    store,
    handler,
    served,
    url: served.url,
    errors,
    raw: (headers) => new RawClient(served.url, headers),
    another: (changes = {}) => {
      const next = line.createHandler({ ...options, ...changes });
      handlers.push(next);
      served.replace(next);
      return next;
    },
  };
}

/** A promise and what settles it. */
export interface Gate<T = void> {
  readonly passed: Promise<T>;
  readonly open: (value: T) => void;
}

export function gate<T = void>(): Gate<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { passed: promise, open: resolve };
}

/**
 * Runs a test that must be done within `limitMs`, three times at most. A test that failed after
 * that time proves nothing, because the process may have stood still.
 */
export async function withinLimit<T>(limitMs: number, test: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const begunAt = performance.now();
    try {
      return await test();
    } catch (error) {
      if (tries === 3 || performance.now() - begunAt < limitMs) throw error;
    }
  }
}

/** Waits until something holds that cannot be awaited. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('What was waited for has not happened within 5 s');
}
