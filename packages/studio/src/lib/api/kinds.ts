import type { Operation } from './operation.ts';
import type { ResolvedOptions } from '../options.ts';

/** How long counts are kept at least, in milliseconds. */
const FRESH_MS = 5_000;
/** Counts are kept this many times as long as counting took, so that it takes 5 % of the time. */
const FRESH_FACTOR = 20;

interface Counts {
  readonly kinds: Promise<readonly { readonly kind: string; readonly count: number }[]>;
  freshUntil: number;
}

const known = new WeakMap<ResolvedOptions['store'], Counts>();

/** Counts live sessions by kind. It reads every session, so it is done once for many requests. */
export const kinds: Operation = {
  action: 'read',
  run: async ({ options: { store } }) => {
    let counts = known.get(store);
    if (counts === undefined || performance.now() > counts.freshUntil) {
      counts = begin(store);
      known.set(store, counts);
    }
    return { kinds: await counts.kinds };
  },
};

function begin(store: ResolvedOptions['store']): Counts {
  const startedAt = performance.now();
  const counts: Counts = { kinds: read(store), freshUntil: Infinity };
  void settle(counts, startedAt);
  return counts;
}

async function settle(counts: Counts, startedAt: number): Promise<void> {
  try {
    await counts.kinds;
    const now = performance.now();
    counts.freshUntil = now + Math.max(FRESH_MS, (now - startedAt) * FRESH_FACTOR);
  } catch {
    // The request reports it, and the next one tries again.
    counts.freshUntil = 0;
  }
}

async function read(store: ResolvedOptions['store']): ReturnType<() => Counts['kinds']> {
  const counts = [...(await store.countByKind())];
  return counts.map(([kind, count]) => ({ kind, count })).toSorted((one, other) => (one.kind < other.kind ? -1 : 1));
}
