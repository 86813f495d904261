import type { SessionBackend } from './lib/backend.ts';
import { MemoryBackend, type MemoryBackendOptions } from './lib/memory/backend.ts';
import { positive, type SessionStoreOptions } from './lib/options.ts';
import type { StateSchemas } from './lib/state-schema.ts';
import { createSessionStore, type SessionStore } from './lib/store.ts';

export type { MemoryBackendOptions };

/** Options of {@link createMemoryStore}. */
export interface MemoryStoreOptions<S extends StateSchemas = StateSchemas>
  extends MemoryBackendOptions, SessionStoreOptions<S> {}

/**
 * Opens a session store in this process's memory: for tests, development, and servers that may forget. It keeps every promise of the other backends but
 * durability, and it is bounded.
 *
 * @throws RangeError or TypeError that names the option.
 */
export async function createMemoryStore<const S extends StateSchemas = StateSchemas>(
  options: MemoryStoreOptions<S> = {},
): Promise<SessionStore<S>> {
  const { maxSessions, maxBytes, ...storeOptions } = options;
  const backend = createMemoryBackend({
    ...(maxSessions !== undefined && { maxSessions }),
    ...(maxBytes !== undefined && { maxBytes }),
  });
  return createSessionStore<S>(backend, storeOptions);
}

/** Makes the in-memory backend alone: the reference for authors of other backends and the model of the conformance kit. */
export function createMemoryBackend(options: MemoryBackendOptions = {}): SessionBackend {
  if (options.maxSessions !== undefined) positive('maxSessions', options.maxSessions);
  if (options.maxBytes !== undefined) positive('maxBytes', options.maxBytes);
  return new MemoryBackend(options);
}
