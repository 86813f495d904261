import type { Session, SessionStore } from '@mcp-session/core';
import type { Subject, Subjects } from './store-cases.ts';

/** The one stream and state key that are used. */
export const STREAM = 's';
export const KEY = 'value';

/** A store through its public interface. */
export function ours(store: SessionStore): Subjects {
  return { create: async () => subjectOf(await store.create()) };
}

export function subjectOf({ events, state }: Session): Subject {
  return {
    append: (message) => events.append(STREAM, message),
    get: () => state.get(KEY),
    set: (value) => state.set(KEY, value),
    update: () => state.update(KEY, (value: { readonly n: number } = { n: 0 }) => ({ ...value, n: value.n + 1 })),
    replay: async () => {
      let count = 0;
      for await (const { message } of events.replay({ streamId: STREAM })) if (message !== undefined) count++;
      return count;
    },
  };
}
