import type { Session } from '@mcp-session/core';
import type { Random } from '../random.ts';
import type { Recorder } from './recorder.ts';

const COUNTER = 'counter';
const COMPARED = 'compared';
const PAIR = ['left', 'right'] as const;

/** Increments a counter, with any number of competing writers. */
export async function update(session: Session, recorder: Recorder): Promise<void> {
  await recorder.call('update', session.id, () => session.state.update(COUNTER, (n: unknown) => Number(n ?? 0) + 1));
}

/** Writes if no other writer has written since its read. */
export async function compareAndSet(session: Session, recorder: Recorder): Promise<void> {
  const entry = await session.state.getEntry(COMPARED).catch(() => undefined);
  const expected = entry?.version ?? 0;
  await recorder.call('compareAndSet', session.id, (id) => session.state.compareAndSet(COMPARED, id, expected), {
    expected,
  });
}

/** Writes two keys in one commit. */
export async function patch(session: Session, recorder: Recorder): Promise<void> {
  await recorder.call('patch', session.id, (id) =>
    session.state.patch(Object.fromEntries(PAIR.map((key) => [key, id]))),
  );
}

/** Reads both keys: they must come from the same commit. */
export async function readPair(session: Session, recorder: Recorder): Promise<void> {
  await recorder.call('readPair', session.id, async () => {
    const entries = await session.state.entries();
    return PAIR.map((key): unknown => entries.get(key) ?? null);
  });
}

/** Writes, reads or removes a key that only this process uses, one call at a time. */
export class Own {
  readonly #key: string;
  readonly #turns = new Map<string, Promise<void>>();

  constructor(worker: string) {
    this.#key = `own-${worker}`;
  }

  use(session: Session, random: Random, recorder: Recorder): Promise<void> {
    const what = random.weighted({ set: 3, get: 4, remove: 1 });
    const turn = (this.#turns.get(session.id) ?? Promise.resolve()).then(() => this.#use(session, what, recorder));
    this.#turns.set(session.id, turn);
    return turn;
  }

  async #use({ id: sessionId, state }: Session, what: 'set' | 'get' | 'remove', recorder: Recorder): Promise<void> {
    const given = { key: this.#key };
    switch (what) {
      case 'set':
        await recorder.call('setOwn', sessionId, (id) => state.set(this.#key, id), given);
        break;
      case 'get':
        await recorder.call('getOwn', sessionId, () => state.get(this.#key), given);
        break;
      case 'remove':
        await recorder.call('removeOwn', sessionId, () => state.remove(this.#key), given);
    }
  }
}

export async function updateMetadata(session: Session, recorder: Recorder): Promise<void> {
  await recorder.call('updateMetadata', session.id, async () => {
    const { n } = await session.updateMetadata((current) => ({ ...current, n: Number(current['n'] ?? 0) + 1 }));
    return n;
  });
}

/** The counters of a session as the store has them. */
export async function readCounters(session: Session): Promise<{ readonly update: number; readonly metadata: number }> {
  return {
    update: Number((await session.state.get(COUNTER)) ?? 0),
    metadata: Number(session.metadata['n'] ?? 0),
  };
}
