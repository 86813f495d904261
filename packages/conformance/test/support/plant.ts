import type { StoredRow } from '@mcp-session/conformance';
import type { SessionBackend } from '@mcp-session/core/backend';

/**
 * What a bug replaces: methods, and what is stored, which the backend in memory shows under this
 * name.
 */
export interface Wrong extends Partial<SessionBackend> {
  readonly rows?: () => Promise<readonly StoredRow[]>;
}

/** A bug, made from the backend that does things right. */
export type Bug = (right: SessionBackend) => Wrong;

/** The backend with the bug in it. */
export function plant(right: SessionBackend, bug: Bug | undefined): SessionBackend {
  if (bug === undefined) return right;
  const wrong = bug(right);
  return new Proxy(right, {
    get(target, key) {
      if (Object.hasOwn(wrong, key)) return wrong[key as keyof Wrong];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
