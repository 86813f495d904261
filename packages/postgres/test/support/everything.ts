import type { SessionBackend } from '@mcp-session/core/backend';

const limits = { maxKeys: 10, maxBytes: 1_000 };
const bound = { maxEvents: 1, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 10 };

interface Use {
  readonly name: string;
  readonly statements: number;
  readonly call: () => Promise<unknown>;
}

/**
 * Every method, with every kind of argument that leads to a statement of its own, and how many
 * statements it may take. They build on each other, in this order.
 */
export function everything(backend: SessionBackend, [one, two]: readonly [string, string]): readonly Use[] {
  const event = { streamId: 's', message: '1', bytes: 1 };
  const append = (token: string, count: number, ids = [one]) => {
    const events = Array.from({ length: count }, () => event);
    return backend.appendEvents(
      ids.map((sessionId) => ({ sessionId, token, events, expiresAt: 200 })),
      1,
    );
  };
  const commit = (value: string | undefined, expectedVersion?: number, keys = ['k']) => {
    const writes = keys.map((key) => ({ key, value, bytes: 1, expectedVersion }));
    return backend.commitState({ sessionId: one, writes, limits, expiresAt: undefined }, 1);
  };
  const page = { sessionId: one, streamId: undefined, afterSeq: undefined, limit: 10, maxBytes: 1_000 };
  const use = (name: string, call: () => Promise<unknown>, statements = 1): Use => ({ name, statements, call });
  return [
    use('updateSession', () =>
      backend.updateSession(one, { profile: { text: '', expectedVersion: 1 }, record: undefined, expiresAt: 300 }, 1),
    ),
    use('updateSession, stale', () =>
      backend.updateSession(
        one,
        { profile: { text: '', expectedVersion: 1 }, record: undefined, expiresAt: undefined },
        1,
      ),
    ),
    use('touchSession', () => backend.touchSession(one, 400, 1)),
    use('readSession', () => backend.readSession(one, 1)),
    ...[null, 'me'].map((principal) =>
      use(`readSession for ${principal}`, () => backend.readSession(one, 1, { kind: 'session', principal })),
    ),
    ...[undefined, null, 'me'].map((principal) =>
      use(`listSessions of ${principal}`, () =>
        backend.listSessions({ kind: 'session', principal, afterId: one, limit: 10 }, 1),
      ),
    ),
    use('countKinds', () => backend.countKinds(1)),
    use('readHeads', () => backend.readHeads([one, two], 1)),
    use('commitState', () => commit('1')),
    use('commitState of two keys', () => commit('2', undefined, ['k', 'l'])),
    // What is refused, or is more than one value, is decided under the lock.
    use('commitState, stale', () => commit('3', 7), 2),
    use('commitState, removing', () => commit(undefined)),
    use('readState', () => backend.readState(one, ['k', 'l'], 1)),
    use('readState of all', () => backend.readState(one, undefined, 1)),
    use('clearState', () => backend.clearState(one, undefined, 1)),
    use('appendEvents', () => append('one', 1)),
    use('appendEvents to two', () => append('two', 3, [one, two])),
    use('appendEvents of 1,500, so that tokens are forgotten', () => append('three', 1_500), 2),
    use('appendEvents with a known token', () => append('three', 1), 2),
    use('appendEvents with a known token to two', () => append('two', 1, [one, two]), 2),
    use('trimEvents', () => backend.trimEvents(one, { ...bound, limit: 5 }, 1)),
    use('trimEvents of 1,200, so that trims are looked at', () =>
      backend.trimEvents(one, { ...bound, limit: 1_200 }, 1),
    ),
    ...['s', undefined].flatMap((streamId) =>
      [undefined, 1_300].map((afterSeq) =>
        use(`readEvents of ${streamId} after ${afterSeq}`, () =>
          backend.readEvents({ ...page, streamId, afterSeq }, 1),
        ),
      ),
    ),
    use('ping', () => backend.ping()),
    use('sweep that finds nothing', () => backend.sweep(1_000, 1)),
    use('endSession', () => backend.endSession(two, 50, 1)),
    use('sweep', () => backend.sweep(1_000, 1), 2),
  ];
}
