import type { SessionBackend } from './lib/contract/backend.ts';
import { MemoryBackend, type MemoryBackendOptions } from './lib/memory/backend.ts';
import { checkOptions, positive, type OptionNames } from './lib/values/option-checks.ts';
import { sessionStoreOptions, storeOptionsOf, type SessionStoreOptions } from './lib/options/store-options.ts';
import type { StateSchemas } from './lib/values/standard-schema.ts';
import type { SessionStore } from './lib/api/session-store.ts';
import { createSessionStore } from './lib/store.ts';

export type { MemoryBackendOptions };

/** Options of {@link createMemoryStore}. */
export interface MemoryStoreOptions<S extends StateSchemas = StateSchemas>
  extends MemoryBackendOptions, SessionStoreOptions<S> {}

/**
 * Opens a session store in the memory of this process, for tests, development, and servers that may
 * forget. It is bounded and keeps every promise of the other backends but durability.
 *
 * @throws RangeError or TypeError that names the option.
 */
export async function createMemoryStore<const S extends StateSchemas = StateSchemas>(
  options: MemoryStoreOptions<S> = {},
): Promise<SessionStore<S>> {
  checkOptions(options, { ...OPTIONS, ...sessionStoreOptions });
  return createSessionStore<S>(openBackend(options), storeOptionsOf(options));
}

const OPTIONS: OptionNames<MemoryBackendOptions> = {
  maxSessions: ['max', 'maxEntries'],
  maxBytes: ['maxSize'],
};

/**
 * Makes the in-memory backend alone: the reference for authors of backends and the model of the
 * conformance kit.
 *
 * @throws RangeError or TypeError that names the option.
 */
export function createMemoryBackend(options: MemoryBackendOptions = {}): SessionBackend {
  checkOptions(options, OPTIONS);
  return openBackend(options);
}

function openBackend({ maxSessions, maxBytes }: MemoryBackendOptions): SessionBackend {
  return new MemoryBackend({
    maxSessions: positive('maxSessions', maxSessions, 100_000),
    maxBytes: positive('maxBytes', maxBytes, 1_073_741_824),
  });
}
