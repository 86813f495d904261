import { createMemoryBackend } from '@mcp-session/core/memory';
import { describe, expect, it } from 'vitest';
import { SessionMap } from '../../src/lib/memory/session-map.ts';
import { SortedMap } from '../../src/lib/memory/sorted-map.ts';
import { open, START } from '../support/open.ts';
import { Dice } from '../support/guesses.ts';

const EVERYONE = { kind: 'session', principal: undefined };

function sessionOf(principal: string | null, kind: string = 'session') {
  return { row: { kind, principal } };
}

describe('the sessions in memory', () => {
  it('are listed in the order of their ids, whatever was added and removed between two listings', () => {
    const dice = new Dice(11);
    const sorted = new SortedMap<string>();
    const model = new Map<string, string>();
    for (let step = 0; step < 5_000; step++) {
      const id = `s${dice.below(200)}`;
      // Phases of growth and of decline.
      if (dice.below(10) < (step % 1_000 < 500 ? 7 : 2)) {
        sorted.set(id, `${step}`);
        model.set(id, `${step}`);
      } else expect(sorted.delete(id)).toBe(model.delete(id));
      const after = dice.below(2) === 0 ? undefined : `s${dice.below(200)}`;
      const ids = [...model.keys()].toSorted().filter((each) => after === undefined || each > after);
      expect([...sorted.after(after)]).toEqual(ids.map((each) => model.get(each)));
    }
  });

  it('are found by kind, by principal, and by nobody, which is not all', () => {
    const sessions = new SessionMap<ReturnType<typeof sessionOf>>();
    sessions.set('a', sessionOf('alice')).set('n', sessionOf(null)).set('c', sessionOf('alice', 'cart'));
    const ids = (kind: string, principal: string | null | undefined) => [...sessions.among({ kind, principal }).keys()];

    expect(ids('session', undefined)).toEqual(['a', 'n']);
    expect(ids('session', null)).toEqual(['n']);
    expect(ids('session', 'alice')).toEqual(['a']);
    expect(ids('cart', 'alice')).toEqual(['c']);
    expect(ids('cart', null)).toEqual([]);
    // Another owner can have the id later.
    sessions.delete('a');
    sessions.set('a', sessionOf('bob'));
    expect(ids('session', 'alice')).toEqual([]);
    expect(ids('session', 'bob')).toEqual(['a']);
    sessions.clear();
    expect(ids('session', undefined)).toEqual([]);
  });

  it(
    'cost a principal the same to begin, list and end, however many sessions others have',
    { timeout: 30_000 },
    async () => {
      const [small, large] = [await fastestRound(100), await fastestRound(20_000)];

      // A walk over all sessions or a new sort makes it more than 100.
      expect(large / small).toBeLessThan(20);
    },
  );

  it('are all listed while some end', async () => {
    const backend = createMemoryBackend();
    for (let n = 0; n < 1_000; n++) await backend.createSession(rowOf(`s${n}`, null), START);
    const seen = new Set<string>();
    let afterId: string | undefined;
    do {
      const page = await backend.listSessions({ ...EVERYONE, afterId, limit: 10 }, START);
      for (const { id } of page.rows) {
        seen.add(id);
        await backend.endSession(id, START + 1, START);
      }
      afterId = page.nextAfterId;
    } while (afterId !== undefined);

    expect(seen.size).toBe(1_000);
    expect(await backend.countSessions(EVERYONE, START)).toBe(0);
  });
});

function rowOf(id: string, principal: string | null) {
  return { id, kind: 'session', principal, profile: '{}', expiresAt: START + 1_000_000 };
}

/** The time of the fastest round beside that many sessions of others, in milliseconds. */
async function fastestRound(others: number): Promise<number> {
  const backend = createMemoryBackend();
  for (let n = 0; n < others; n++) await backend.createSession(rowOf(`s${n}`, `other-${n % 100}`), START);
  const { store } = await open({ backend });
  let fastest = Infinity;
  for (let round = 0; round < 50; round++) {
    const startedAt = performance.now();
    const session = await store.create({ principal: 'alice' });
    await store.list({ principal: 'alice' });
    await store.count({ principal: 'alice' });
    await session.end();
    fastest = Math.min(fastest, performance.now() - startedAt);
  }
  return fastest;
}
