import { compare, type Side } from './compare.ts';
import type { Beside, Row, Scale } from './result.ts';
import { message } from './workload.ts';

/**
 * One session, ours or by hand. Each method is done when it returns, or when its promise resolves.
 */
export interface Subject {
  append(message: object): unknown;
  get(): unknown;
  set(value: unknown): unknown;
  /** Adds one to the number `n` of the value. */
  update(): unknown;
  /** Reads and parses all events, and returns how many there were. */
  replay(): number | Promise<number>;
}

/** Ours, or code by hand. */
export interface Subjects {
  create(): Promise<Subject>;
  /** Appends one event to each of the subjects in one transaction; only by hand. */
  readonly appendAll?: (subjects: readonly Subject[], messages: readonly object[]) => unknown;
}

/** The targets of a backend, as ratios of speed. */
export interface Targets {
  readonly append: number;
  /** 64 at once over 64 sessions, and to one session: compared with 64 one after the other, 64
   * unbatched at once, and one batch of 64.
   */
  readonly spread: { readonly serial?: number; readonly unbatched?: number; readonly batch?: number };
  readonly focused: { readonly serial?: number; readonly unbatched?: number; readonly batch?: number };
  readonly get: number;
  readonly set: number;
  readonly update: number;
  readonly replay: number;
}

const AT_ONCE = 64;
const REPLAYED = 1_000;

/**
 * Compares each operation of a store with the same by hand.
 *
 * @param longer How many times as often: if an operation takes a microsecond, V8 would otherwise
 * compile during the measurement. At most `10`, because logs would outgrow their retention.
 */
export async function measureStore(
  ours: Subjects,
  raw: Subjects,
  targets: Targets,
  { quick, say }: Scale,
  longer = 1,
): Promise<Row[]> {
  const effort = (runs: number) =>
    quick ? { blocks: 2, runs: Math.ceil(runs / 20) } : { blocks: 9, runs: runs * longer };
  const rows: Row[] = [];
  const add = (row: Row) => {
    rows.push(row);
    say(`${row.operation}: ${row.beside.map(({ name, ratio }) => `${ratio.toFixed(2)} × ${name}`).join(', ')}`);
  };

  const single = async (operation: string, target: number, runs: number, run: (subject: Subject) => unknown) => {
    const { times, speedOf } = await compare({ ours: one(ours, run), raw: one(raw, run) }, effort(runs));
    const beside = { name: 'by hand', times: times('raw'), ratio: speedOf('ours', 'raw'), target };
    add({ operation, ours: times('ours'), beside: [beside] });
  };

  await single('append, one after the other', targets.append, 600, (subject) => subject.append(message()));
  for (const [operation, sessions, target] of [
    [`append, ${AT_ONCE} at once over ${AT_ONCE} sessions`, AT_ONCE, targets.spread],
    [`append, ${AT_ONCE} at once to one session`, 1, targets.focused],
  ] as const) {
    const sides = {
      ours: burst(ours, sessions, atOnce),
      serial: burst(raw, sessions, async (subjects) => {
        for (const subject of subjects) await subject.append(message());
      }),
      ...(target.unbatched !== undefined && { unbatched: burst(raw, sessions, atOnce) }),
      ...(raw.appendAll !== undefined && {
        batch: burst(raw, sessions, (subjects) =>
          raw.appendAll?.(
            subjects,
            subjects.map(() => message()),
          ),
        ),
      }),
    };
    const { times, speedOf } = await compare<'ours' | 'serial' | 'unbatched' | 'batch'>(
      sides as Record<'ours' | 'serial' | 'unbatched' | 'batch', Side>,
      effort(12),
    );
    const names = { serial: 'by hand, one by one', unbatched: 'by hand, at once', batch: 'by hand, one batch' };
    const beside = Object.entries(names)
      .filter(([side]) => side in sides)
      .map(([side, name]): Beside => {
        const key = side as keyof typeof names;
        const wanted = target[key];
        const facts = { name, times: times(key), ratio: speedOf('ours', key) };
        return wanted === undefined ? facts : { ...facts, target: wanted };
      });
    add({ operation, ours: times('ours'), beside });
  }

  await single('state get', targets.get, 1_000, (subject) => subject.get());
  await single('state set', targets.set, 500, (subject) => subject.set({ theme: 'dark', n: 1 }));
  await single('state update', targets.update, 400, (subject) => subject.update());

  const full = async (subjects: Subjects) => {
    const subject = await subjects.create();
    for (let left = REPLAYED; left > 0; left -= 100) {
      await Promise.all(Array.from({ length: 100 }, () => subject.append(message())));
    }
    return subject;
  };
  const [ourLog, rawLog] = [await full(ours), await full(raw)];
  const sides = { ours: replaying(ourLog), raw: replaying(rawLog) };
  const { times, speedOf } = await compare(sides, effort(40));
  add({
    operation: `replay of ${REPLAYED.toLocaleString('en')} events, parsed`,
    ours: times('ours'),
    beside: [
      {
        name: 'by hand, with JSON.parse',
        times: times('raw'),
        ratio: speedOf('ours', 'raw'),
        target: targets.replay,
      },
    ],
  });
  return rows;
}

/**
 * A new session for each block, so that no log outgrows its retention and has to be trimmed.
 */
function one(subjects: Subjects, run: (subject: Subject) => unknown): Side {
  let subject: Subject | undefined;
  return {
    prepare: async () => {
      subject = await subjects.create();
      await subject.set({ theme: 'dark', n: 0 });
    },
    run: () => subject && run(subject),
  };
}

function burst(subjects: Subjects, sessions: number, run: (targets: readonly Subject[]) => unknown): Side {
  let targets: readonly Subject[] = [];
  return {
    operations: AT_ONCE,
    prepare: async () => {
      const made = await Promise.all(Array.from({ length: sessions }, () => subjects.create()));
      targets = Array.from({ length: AT_ONCE }, (_, index) => made[index % sessions] as Subject);
    },
    run: () => run(targets),
  };
}

async function atOnce(subjects: readonly Subject[]): Promise<void> {
  await Promise.all(subjects.map((subject) => subject.append(message())));
}

function replaying(subject: Subject): Side {
  return {
    run: async () => {
      const count = await subject.replay();
      if (count !== REPLAYED) throw new Error(`A replay returned ${count} events`);
    },
  };
}
