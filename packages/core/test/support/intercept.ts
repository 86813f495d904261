import type { SessionBackend } from '@mcp-session/core/backend';

/** Members that replace those of a backend; one that is `undefined` is taken away. */
export type Overrides = { readonly [K in keyof SessionBackend]?: SessionBackend[K] | undefined };

/** The same backend with some members replaced: for faults and counts in front of a real one. */
export function intercept(backend: SessionBackend, overrides: Overrides): SessionBackend {
  return new Proxy(backend, {
    get(target, property) {
      if (property in overrides) return Reflect.get(overrides, property) as unknown;
      const member: unknown = Reflect.get(target, property, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

/** A promise and the way to settle it. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
