import { judgeCommit, type StateWrite } from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';

const limits = { maxKeys: 2, maxBytes: 10 };
const write = (key: string, bytes: number, expectedVersion?: number): StateWrite => ({
  key,
  value: '1',
  bytes,
  expectedVersion,
});
const remove = (key: string): StateWrite => ({ key, value: undefined, bytes: 0, expectedVersion: undefined });

describe('judgeCommit', () => {
  it('accepts, with the sums after the commit', () => {
    const verdict = judgeCommit(
      { writes: [write('a', 4), write('b', 3), remove('c')], limits },
      [undefined, { version: 1, bytes: 2 }, { version: 2, bytes: 3 }],
      { keys: 2, bytes: 5 },
    );

    expect(verdict).toEqual({ status: 'accepted', totals: { keys: 2, bytes: 7 } });
  });

  it('names the first key without its expected version, before any limit', () => {
    const before = [{ version: 1, bytes: 1 }, undefined];

    expect(
      judgeCommit({ writes: [write('a', 99, 1), write('b', 99, 1)], limits }, before, { keys: 1, bytes: 1 }),
    ).toEqual({ status: 'conflict', key: 'b' });
    expect(judgeCommit({ writes: [write('a', 1, 0)], limits }, [undefined], { keys: 0, bytes: 0 }).status).toBe(
      'accepted',
    );
  });

  it('refuses a commit that exceeds a limit, the number of keys first', () => {
    expect(judgeCommit({ writes: [write('a', 99)], limits }, [undefined], { keys: 2, bytes: 2 })).toEqual({
      status: 'limit',
      limit: 'maxKeys',
    });
    expect(judgeCommit({ writes: [write('a', 9)], limits }, [undefined], { keys: 1, bytes: 2 })).toEqual({
      status: 'limit',
      limit: 'maxBytes',
    });
  });

  it('lets a state above a lowered limit shrink or stay', () => {
    const totals = { keys: 5, bytes: 50 };

    expect(judgeCommit({ writes: [write('a', 7)], limits }, [{ version: 1, bytes: 8 }], totals).status).toBe(
      'accepted',
    );
    expect(judgeCommit({ writes: [write('a', 8)], limits }, [{ version: 1, bytes: 8 }], totals).status).toBe(
      'accepted',
    );
    expect(judgeCommit({ writes: [remove('a')], limits }, [{ version: 1, bytes: 8 }], totals).status).toBe('accepted');
    expect(judgeCommit({ writes: [write('a', 9)], limits }, [{ version: 1, bytes: 8 }], totals).status).toBe('limit');
  });
});
