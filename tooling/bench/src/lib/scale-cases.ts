import type { SessionStore } from '@mcp-session/core';
import { compare, type Side } from './compare.ts';
import { subjectOf } from './ours.ts';
import type { Row, Scale } from './result.ts';
import type { Subject } from './store-cases.ts';
import { message } from './workload.ts';

/** Events of each session before anything is measured. */
export const EVENTS_OF_EACH = 100;

/**
 * So long that no read also renews its session, which would depend on time and not on size.
 */
export const TOUCH_INTERVAL_MS = 1_800_000;

/** A store with many sessions or few, and the same data by hand. */
export interface Filled {
  readonly ours: readonly Subject[];
  readonly raw: readonly Subject[];
}

/** How many sessions the two stores hold. */
export function sizes({ quick }: Scale): { readonly small: number; readonly large: number } {
  return quick ? { small: 10, large: 100 } : { small: 10, large: 10_000 };
}

/** Creates sessions through the store, fills their logs with `fill`, and returns their handles. */
export async function fillStore(
  store: SessionStore,
  sessions: number,
  raw: (id: string) => Subject,
  fill: () => unknown,
): Promise<Filled> {
  const ids: string[] = [];
  for (let made = 0; made < sessions; made++) ids.push((await store.create()).id);
  await fill();
  const ours: Subject[] = [];
  for (const id of ids) {
    const session = await store.get(id);
    if (session !== undefined) ours.push(subjectOf(session));
  }
  return { ours, raw: ids.map(raw) };
}

/**
 * Compares a large store with a small one, ours and by hand. Using all sessions of the large one
 * also needs more of the machine's caches. So the large store is measured a second time with as
 * many sessions as the small one has: then only its size differs.
 */
export async function measureScale(small: Filled, large: Filled, { quick, say }: Scale): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [operation, runs, run] of [
    // First, because appends make the logs of few sessions longer than those of many.
    [`replay of ${EVENTS_OF_EACH} events`, 100, (subject) => subject.replay()],
    ['append', 400, (subject) => subject.append(message())],
    ['state set', 400, (subject) => subject.set({ theme: 'dark', n: 1 })],
    ['state get', 800, (subject) => subject.get()],
  ] satisfies [string, number, (subject: Subject) => unknown][]) {
    const apart = large.ours.length / small.ours.length;
    const few = large.ours.filter((_, index) => index % apart === 0);
    const sides = {
      small: anyOf(small.ours, run),
      large: anyOf(large.ours, run),
      few: anyOf(few, run),
      rawSmall: anyOf(small.raw, run),
      rawLarge: anyOf(large.raw, run),
    };
    const { times, speedOf } = await compare(
      sides,
      quick ? { blocks: 2, runs: Math.ceil(runs / 20) } : { blocks: 9, runs },
    );
    const ratio = speedOf('large', 'small');
    const rawRatio = speedOf('rawLarge', 'rawSmall');
    rows.push(
      {
        operation,
        ours: times('large'),
        beside: [
          { name: 'the small store', times: times('small'), ratio, target: 0.87 },
          { name: 'by hand, large', times: times('rawLarge'), ratio: speedOf('large', 'rawLarge') },
        ],
      },
      {
        operation: `${operation}, of ${few.length} sessions only`,
        ours: times('few'),
        beside: [{ name: 'the small store', times: times('small'), ratio: speedOf('few', 'small'), target: 0.87 }],
      },
      {
        operation: `${operation}, by hand`,
        ours: times('rawLarge'),
        beside: [{ name: 'by hand, the small store', times: times('rawSmall'), ratio: rawRatio }],
      },
    );
    say(
      `${operation}: ${ratio.toFixed(2)} × the small store, ${speedOf('few', 'small').toFixed(2)} × where few sessions are used; by hand ${rawRatio.toFixed(2)} × its small store`,
    );
  }
  return rows;
}

/** Visits all subjects in a scattered order, the same in each run. */
function anyOf(subjects: readonly Subject[], run: (subject: Subject) => unknown): Side {
  // Coprime with both numbers of sessions, so that it visits each.
  const step = 7_919;
  let index = 0;
  return {
    run: () => {
      index = (index + step) % subjects.length;
      const subject = subjects[index];
      return subject && run(subject);
    },
  };
}
