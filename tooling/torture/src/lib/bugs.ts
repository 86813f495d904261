import { setTimeout as pause } from 'node:timers/promises';
import type { AppendResult, SessionBackend, StateCommit, StateRow } from '@mcp-session/core/backend';

/** The methods that a bug replaces, built on the correct backend. */
type Bug = (right: SessionBackend) => Partial<SessionBackend>;

/** True on each call whose number is a multiple of `n`. */
function each(n: number): () => boolean {
  let calls = 0;
  return () => ++calls % n === 0;
}

/** A commit without its expected versions. */
function blind(commit: StateCommit): StateCommit {
  return { ...commit, writes: commit.writes.map((write) => ({ ...write, expectedVersion: undefined })) };
}

/**
 * Bugs of the kinds that databases and drivers have shown, planted in every worker. The run must
 * find each.
 */
const bugs = {
  /** A compare-and-set that does not compare. */
  'blind-compare-and-set': (right) => ({ commitState: (commit, now) => right.commitState(blind(commit), now) }),
  /** Acknowledges a commit without making it. */
  'lost-commit': (right) => {
    const lose = each(60);
    return {
      commitState: async (commit, now) => {
        if (!lose()) return right.commitState(commit, now);
        const rows = await right.readState(commit.sessionId, undefined, now);
        const version = Math.max(0, ...(rows ?? []).map((row) => row.version)) + 1;
        return rows && { status: 'committed', version, existed: commit.writes.map(() => true) };
      },
    };
  },
  /** Acknowledges an append without storing it. */
  'lost-append': (right) => {
    const lose = each(40);
    return {
      appendEvents: async (batch, now) => {
        const [first] = batch;
        if (first === undefined || !lose()) return right.appendEvents(batch, now);
        const head = (await right.readHeads([first.sessionId], now)).get(first.sessionId);
        if (head === undefined) return right.appendEvents(batch, now);
        const lost: AppendResult = { firstSeq: head.lastSeq + 1, retainedEvents: 1, retainedBytes: 1 };
        return [lost, ...(batch.length > 1 ? await right.appendEvents(batch.slice(1), now) : [])];
      },
    };
  },
  /** Repeats an append whose answer was lost, without its token. */
  'doubled-append': (right) => {
    const double = each(40);
    return {
      appendEvents: async (batch, now) => {
        if (double()) {
          await right.appendEvents(
            batch.map((request) => ({ ...request, token: `again-${request.token}`.slice(0, 22) })),
            now,
          );
        }
        return right.appendEvents(batch, now);
      },
    };
  },
  /** Omits an event from a page. */
  'hole-in-a-page': (right) => {
    const leaveOut = each(20);
    return {
      readEvents: async (query, now) => {
        const page = await right.readEvents(query, now);
        if (page === undefined || page.events.length < 3 || !leaveOut()) return page;
        return { ...page, events: page.events.filter((_, index) => index !== 1) };
      },
    };
  },
  /** Does not report that events before a page were trimmed. */
  'silent-trim': (right) => ({
    readEvents: async (query, now) => {
      const page = await right.readEvents(query, now);
      return page && { ...page, trimmedSeq: 0 };
    },
  }),
  /** Reads keys one after another, between the commits of others. */
  'torn-read': (right) => ({
    readState: async (id, keys, now) => {
      if (keys !== undefined) return right.readState(id, keys, now);
      const whole = await right.readState(id, undefined, now);
      if (whole === undefined) return undefined;
      const rows: StateRow[] = [];
      for (const { key } of whole) {
        rows.push(...((await right.readState(id, [key], now)) ?? []));
        await pause(1);
      }
      return rows;
    },
  }),
  /** Reports to every caller that it ended the session. */
  'end-for-all': (right) => ({
    endSession: async (id, purgeAt, now) => {
      await right.endSession(id, purgeAt, now);
      return true;
    },
  }),
  /** Reads sessions from a cache that misses their end. */
  'cached-session': (right) => {
    const cache = new Map<string, Awaited<ReturnType<SessionBackend['readSession']>>>();
    return {
      readSession: async (id, now, asker) => {
        const key = JSON.stringify([id, asker]);
        const row = (await right.readSession(id, now, asker)) ?? cache.get(key);
        cache.set(key, row);
        return row;
      },
    };
  },
  /** Reports a finished sweep that has removed nothing. */
  'idle-sweep': () => ({ sweep: () => Promise.resolve({ ids: [], done: true }) }),
} satisfies Readonly<Record<string, Bug>>;

export const bugNames: readonly string[] = Object.keys(bugs);

/** The backend with a planted bug. @throws RangeError for an unknown bug. */
export function plant(right: SessionBackend, name: string | undefined): SessionBackend {
  if (name === undefined) return right;
  const bug = (bugs as Readonly<Record<string, Bug>>)[name];
  if (bug === undefined) throw new RangeError(`No bug "${name}": there are ${bugNames.join(', ')}`);
  const wrong = bug(right);
  return new Proxy(right, {
    get(target, key) {
      if (Object.hasOwn(wrong, key)) return wrong[key as keyof SessionBackend];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
