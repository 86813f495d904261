import { SessionError, type SessionStore } from '@mcp-session/core';

/** How a store that can be cut off stands. */
export interface Line {
  /** `cut`: each look fails; `silent`: none is answered. */
  state: 'up' | 'cut' | 'silent';
}

/**
 * A store whose looks fail or hang while its database is away. Its tails go on waiting, as real
 * ones do.
 */
export function failing(store: SessionStore, line: Line): SessionStore {
  const guarded =
    <Args extends readonly unknown[], Result>(look: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      if (line.state === 'cut') throw new SessionError('STORE_UNAVAILABLE', 'The database is away', {});
      if (line.state === 'silent') await new Promise(() => undefined);
      return look(...args);
    };
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'inspect') return guarded((id: string) => target.inspect(id));
      if (name === 'list') return guarded((options: Parameters<SessionStore['list']>[0]) => target.list(options));
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
