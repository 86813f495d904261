import type { Operation, OperationName, SessionStore, SessionStoreOptions, StateSchemas } from '@mcp-session/core';
import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { onTestFinished } from 'vitest';
import { intercept, type Overrides } from './intercept.ts';

/** When the clock of a test begins. */
export const START = 1_700_000_000_000;

/** What a test holds of an open store. */
export interface Opened<S extends StateSchemas> {
  readonly store: SessionStore<S>;
  readonly backend: SessionBackend;
  /** The store's clock; a test turns it. */
  readonly clock: { now: number };
  readonly calls: Calls;
}

/** The calls to the backend, as the store's observer gets them. */
export class Calls {
  readonly #seen: Operation[] = [];
  readonly #awaited = new Set<(operation: Operation) => void>();

  /** Names of the calls since the last look, or only how often one was made. */
  take(): OperationName[] {
    return this.#seen.splice(0).map(({ name }) => name);
  }

  count(name: OperationName): number {
    return this.take().filter((each) => each === name).length;
  }

  /** Resolves with the next call of this name, and of this outcome where it is given. */
  next(name: OperationName, outcome?: Operation['outcome']): Promise<Operation> {
    return new Promise((resolve) => {
      const look = (operation: Operation): void => {
        if (operation.name !== name || (outcome !== undefined && operation.outcome !== outcome)) return;
        this.#awaited.delete(look);
        resolve(operation);
      };
      this.#awaited.add(look);
    });
  }

  see(operation: Operation): void {
    this.#seen.push(operation);
    for (const look of this.#awaited) look(operation);
  }
}

/**
 * Opens a store on the real in-memory backend with a clock that the test turns, no sweeping in the
 * background, and an eye on the calls. The overrides stand between the store and the backend.
 */
export async function open<const S extends StateSchemas = StateSchemas>(
  options: SessionStoreOptions<S> & { readonly backend?: SessionBackend } = {},
  overrides: (inner: SessionBackend) => Overrides = () => ({}),
): Promise<Opened<S>> {
  const { backend: given, ...storeOptions } = options;
  const inner = given ?? createMemoryBackend();
  const backend = intercept(inner, overrides(inner));
  const clock = { now: START };
  const calls = new Calls();
  const store = await createSessionStore<S>(backend, {
    sweep: false,
    clock: () => clock.now,
    observe: (operation) => calls.see(operation),
    ...storeOptions,
  });
  calls.take();
  // What closing says is looked at by the tests of closing.
  onTestFinished(() => store.close().catch(() => undefined));
  return { store, backend, clock, calls };
}
