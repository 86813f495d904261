import { SessionError, type SessionStore } from '@mcp-session/core';

/** How a store fails. */
export interface Failing {
  /** How many writes of a task fail from now on. */
  left: number;
  /** Whether a write is made, and fails all the same. Default: it is not made. */
  stored?: boolean;
  /** Default: a failure that passes. */
  error?: SessionError;
}

function bound(target: object, key: PropertyKey): unknown {
  const value: unknown = Reflect.get(target, key, target);
  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
}

type Call = (...given: readonly unknown[]) => Promise<unknown>;

/** Replaces methods of an object. */
function replaced<T extends object>(target: T, methods: Readonly<Record<string, (call: Call) => Call>>): T {
  return new Proxy(target, {
    get: (_, key) => {
      const own = bound(target, key);
      return typeof key === 'string' && Object.hasOwn(methods, key) ? methods[key]?.(own as Call) : own;
    },
  });
}

/** The store, as it is when its database is away for a while: writes of tasks fail. */
export function failing(store: SessionStore, how: Failing): Pick<SessionStore, 'ofKind'> {
  const updateMetadata =
    (call: Call): Call =>
    async (...given) => {
      if (how.left === 0) return call(...given);
      how.left -= 1;
      if (how.stored === true) await call(...given);
      throw how.error ?? new SessionError('STORE_UNAVAILABLE', 'Store is away', { retryable: true });
    };
  const found =
    (call: Call): Call =>
    async (...given) => {
      const session = (await call(...given)) as object | undefined;
      return session && replaced(session, { updateMetadata });
    };
  return {
    ofKind: (...given: Parameters<SessionStore['ofKind']>) =>
      replaced(store.ofKind(...given), { create: found, get: found }),
  } as Pick<SessionStore, 'ofKind'>;
}
