import { SessionError, type SessionErrorOptions } from '@mcp-session/core';
import type { Capabilities, SessionBackend } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * The backend in memory, and a switch that makes some of its methods fail as a database does that
 * is gone.
 */
export interface FailingBackend {
  readonly backend: SessionBackend;
  /** Lets calls of these methods fail from now on: so many, or all; after some that do not. */
  fail(methods: readonly (keyof SessionBackend)[], times?: number, options?: SessionErrorOptions, after?: number): void;
  heal(): void;
  /** Lets calls of these methods wait from now on, until the returned function is called. */
  hold(methods: readonly (keyof SessionBackend)[]): () => void;
  /** Names of the methods that were called since this was asked last. */
  calls(): string[];
  /** Resolves when the readers have read what was written, and forgets the calls until then. */
  rest(): Promise<void>;
}

/** @param facts What it says of itself other than the backend in memory does. */
export function failingBackend(facts: Partial<Capabilities> = {}): FailingBackend {
  let failing: readonly (keyof SessionBackend)[] = [];
  let left = 0;
  let spared = 0;
  let how: SessionErrorOptions = {};
  let held: readonly (keyof SessionBackend)[] = [];
  let released = Promise.resolve();
  const calls: string[] = [];
  const backend = new Proxy(createMemoryBackend(), {
    get(target, name: keyof SessionBackend) {
      const value: unknown = Reflect.get(target, name);
      // As small as a backend may be.
      if (name === 'capabilities') return { ...target.capabilities, maxEventBytes: 1_048_576, ...facts };
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        calls.push(name);
        if (held.includes(name)) return released.then(() => Reflect.apply(value, target, args) as unknown);
        if (!failing.includes(name) || spared-- > 0 || left-- <= 0) return Reflect.apply(value, target, args);
        return Promise.reject(new SessionError('STORE_UNAVAILABLE', 'Database at secret-host is gone', how));
      };
    },
  });
  return {
    backend,
    fail: (methods, times = Number.POSITIVE_INFINITY, options = {}, after = 0) =>
      ([failing, left, how, spared] = [methods, times, options, after]),
    heal: () => (failing = []),
    hold: (methods) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      [held, released] = [methods, promise];
      return () => {
        held = [];
        resolve();
      };
    },
    calls: () => calls.splice(0),
    rest: async () => {
      do {
        await pause(100);
      } while (calls.splice(0).length > 0);
    },
  };
}
