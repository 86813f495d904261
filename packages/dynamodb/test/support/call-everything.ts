import type { SessionBackend } from '@mcp-session/core/backend';

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
const MONTH = 30 * 24 * HOUR;

/** Takes every way through the code that sends another kind of request. */
export async function callEverything(backend: SessionBackend): Promise<void> {
  const limits = { maxKeys: 100, maxBytes: 1e9 };
  const bound = { maxEvents: 0, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 5_000 };
  await backend.migrate();
  await backend.ping();
  await backend.createSession({ id: 's', kind: 'session', principal: 'p', profile: '{}', expiresAt: NOW + HOUR }, NOW);
  await backend.readSession('s', NOW);
  await backend.updateSession(
    's',
    { profile: { text: '1', expectedVersion: 1 }, record: undefined, expiresAt: undefined },
    NOW,
  );
  for (const [key, value, expectedVersion] of [
    ['a', '1', 0],
    ['b', 'x'.repeat(400_000), 0],
    ['b', '2', 2],
    ['a', undefined, 1],
    ['c', undefined, 0],
  ] as const) {
    await backend.commitState(
      { sessionId: 's', writes: [{ key, value, bytes: 1, expectedVersion }], limits, expiresAt: undefined },
      NOW,
    );
  }
  await backend.readState('s', ['a'], NOW);
  await backend.readState('s', ['a', 'b'], NOW);
  await backend.readState('s', undefined, NOW);
  await backend.clearState('s', undefined, NOW);
  for (let n = 0; n < 2_050; n += 50) {
    const events = Array.from({ length: 50 }, () => ({ streamId: 'x', message: '1', bytes: 1 }));
    await backend.appendEvents([{ sessionId: 's', token: `t${n}`, events, expiresAt: undefined }], NOW);
  }
  for (const streamId of [undefined, 'x']) {
    await backend.readEvents({ sessionId: 's', streamId, afterSeq: 1, limit: 5, maxBytes: 100 }, NOW);
  }
  await backend.trimEvents('s', bound, NOW);
  await backend.readHeads(['s'], NOW);
  for (const principal of [undefined, 'p']) {
    await backend.listSessions({ kind: 'session', principal, afterId: undefined, limit: 10 }, NOW);
    await backend.countSessions({ kind: 'session', principal }, NOW);
  }
  await backend.countKinds(NOW);
  await backend.touchSession('s', NOW + MONTH, NOW);
  await backend.sweep(1_000, NOW + 2 * HOUR);
  await backend.endSession('s', NOW + HOUR, NOW);
  for (let done = false; !done;) ({ done } = await backend.sweep(1_000, NOW + 2 * MONTH));
}
