import { exceeds, passes, takePage, takeSessions } from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';

const rowsOf = (...bytes: number[]) => bytes.map((each, index) => ({ seq: index + 1, bytes: each }));
const seqs = ({ rows }: { rows: readonly { seq: number }[] }): number[] => rows.map(({ seq }) => seq);

describe('takePage', () => {
  it.each([
    ['all rows that fit', rowsOf(1, 1, 1), { limit: 3, maxBytes: 3 }, [1, 2, 3], false],
    ['at most limit rows', rowsOf(1, 1, 1), { limit: 2, maxBytes: 9 }, [1, 2], true],
    ['at most maxBytes bytes', rowsOf(1, 1, 1), { limit: 9, maxBytes: 2 }, [1, 2], true],
    ['one row that is too large', rowsOf(5, 1), { limit: 9, maxBytes: 2 }, [1], true],
    ['nothing of nothing', rowsOf(), { limit: 9, maxBytes: 9 }, [], false],
  ])('takes %s', (_, rows, query, taken, more) => {
    const page = takePage(rows, query);

    expect(seqs(page)).toEqual(taken);
    expect(page.more).toBe(more);
  });

  it('reads no row after the first that does not fit', () => {
    let read = 0;
    function* cursor() {
      for (const row of rowsOf(1, 1, 1, 1)) {
        read++;
        yield row;
      }
    }

    takePage(cursor(), { limit: 2, maxBytes: 9 });

    expect(read).toBe(3);
  });
});

describe('takeSessions', () => {
  const found = ['a', 'b', 'c'].map((id) => ({ id }));

  it('says that there are more, and after which id', () => {
    expect(takeSessions(found, 2)).toEqual({ rows: found.slice(0, 2), more: true, nextAfterId: 'b' });
  });

  it('says that there are none', () => {
    expect(takeSessions(found, 3)).toEqual({ rows: found, more: false, nextAfterId: undefined });
    expect(takeSessions([], 3)).toEqual({ rows: [], more: false, nextAfterId: undefined });
  });
});

describe('exceeds', () => {
  const none = { maxEvents: undefined, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 1 };
  const oldest = { seq: 5, createdAt: 1_000 };
  const left = { events: 3, bytes: 30 };

  it.each([
    ['maxEvents', 2, 3],
    ['maxBytes', 29, 30],
    ['createdBefore', 1_001, 1_000],
    ['throughSeq', 5, 4],
  ] as const)('%s: beyond the bound, not at it', (name, beyond, at) => {
    expect(exceeds({ ...none, [name]: beyond }, oldest, left)).toBe(true);
    expect(exceeds({ ...none, [name]: at }, oldest, left)).toBe(false);
  });

  it('is false without bounds', () => {
    expect(exceeds(none, oldest, left)).toBe(false);
  });
});

it.each([
  [0, 9, false],
  [9, 10, true],
  [10, 19, false],
  [5, 30, true],
])('passes a multiple of 10 from %i to %i: %s', (before, after, passed) => {
  expect(passes(10, before, after)).toBe(passed);
});
