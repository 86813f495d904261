import type { SessionBackend } from '@mcp-session/core';

/** A bug: the methods that it replaces, made from the backend that does them right. */
export type Bug = (right: SessionBackend) => Partial<SessionBackend>;

/** The backend with the bug in it. */
export function plant(right: SessionBackend, bug: Bug | undefined): SessionBackend {
  if (bug === undefined) return right;
  const wrong = bug(right);
  return new Proxy(right, {
    get(target, key) {
      if (Object.hasOwn(wrong, key)) return wrong[key as keyof SessionBackend];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
