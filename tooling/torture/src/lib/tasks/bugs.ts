import type { Session, SessionKind, SessionStore } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';

type Found = Session;
type Update = Found['updateMetadata'];
type Facts = Readonly<Record<string, unknown>>;

/** What a bug replaces in a session of a task. */
type TaskBug = (session: Found) => { readonly updateMetadata?: Update; readonly append?: Found['events']['append'] };

/** How late a double recovery is, at most, in milliseconds. */
const LATE_MS = 600;
/** The tasks that have got an answer, in their order. */
const answered = new Map<string, number>();

const bugs = {
  /** A late worker's write is not refused: the number of the worker is not compared. */
  'no-fence': (session) => {
    let mine = session.metadata['epoch'];
    return {
      updateMetadata: (change) =>
        session.updateMetadata((metadata) => {
          const next = change({ ...metadata, epoch: mine ?? 0, leaseUntil: metadata['leaseUntil'] ?? 0 });
          mine = next['epoch'];
          return next;
        }),
    };
  },
  /** Acknowledges what a client says to each third task, and does not store it. */
  'lost-update': (session) => ({
    append: async (...given) => {
      const order = answered.get(session.id) ?? answered.size;
      answered.set(session.id, order);
      return order % 3 === 0 ? '' : session.events.append(...given);
    },
  }),
  /** A node that recovers does not see that another one was faster. */
  'double-recover': (session) => {
    const stale = structuredClone(session.metadata) as Facts;
    let isFirst = Number(stale['leaseUntil'] ?? Infinity) <= Date.now();
    return {
      updateMetadata: async (change) => {
        if (!isFirst) return session.updateMetadata(change);
        isFirst = false;
        await pause(Math.random() * LATE_MS);
        return session.updateMetadata(() => change(structuredClone(stale) as typeof session.metadata));
      },
    };
  },
} satisfies Readonly<Record<string, TaskBug>>;

export const taskBugNames: readonly string[] = Object.keys(bugs);

/** The store with a bug planted below the tasks. @throws RangeError for an unknown bug. */
export function plantInTasks(store: SessionStore, name: string | undefined): Pick<SessionStore, 'ofKind'> {
  if (name === undefined) return store;
  const bug = (bugs as Readonly<Record<string, TaskBug>>)[name];
  if (bug === undefined) throw new RangeError(`No bug "${name}": there are ${taskBugNames.join(', ')}`);
  const spoil = (session: Found): Found => {
    const { append, ...wrong } = bug(session);
    const events = append === undefined ? session.events : replaced(session.events, { append });
    return replaced(session, { ...wrong, events });
  };
  const ofKind = (...given: Parameters<SessionStore['ofKind']>): SessionKind => {
    const kind: SessionKind = store.ofKind(...given);
    return replaced(kind, {
      create: async (options) => spoil(await kind.create(options)),
      get: async (id, options) => {
        const session = await kind.get(id, options);
        return session && spoil(session);
      },
    });
  };
  return { ofKind } as Pick<SessionStore, 'ofKind'>;
}

function replaced<T extends object>(right: T, wrong: Partial<T>): T {
  return new Proxy(right, {
    get(target, key) {
      if (Object.hasOwn(wrong, key)) return wrong[key as keyof T];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
