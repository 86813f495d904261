import { expect, it } from 'vitest';
import { operations, units } from './support/counting.ts';
import { openBehindProxy } from './support/open.ts';

const HOUR = 3_600_000;
const NOW = 1_800_000_000_000;

it('a change of the record costs the same beside a profile of 200 KB', async () => {
  const { proxy, open } = await openBehindProxy();
  proxy.counting = true;
  const backend = await open();
  for (const profile of ['{}', 'x'.repeat(200_000)]) {
    const id = `session-${profile.length}`;
    await backend.createSession({ id, kind: 'session', principal: 'p', profile, expiresAt: NOW + HOUR }, NOW);
    for (let version = 0; version < 3; version++) {
      const record = { text: JSON.stringify('r'.repeat(300)), expectedVersion: version };
      const change = { profile: undefined, record, expiresAt: NOW + HOUR + version };
      const passed = await proxy.during(() => backend.updateSession(id, change, NOW + version));
      expect([operations(passed), units(passed)]).toEqual([['TransactWriteItems'], 4]);
    }
    expect(await backend.readSession(id, NOW + 3)).toMatchObject({ profile, recordVersion: 3 });
  }
});

it('a page of sessions has their counts and costs one query and one read, whatever they hold', async () => {
  const { proxy, open } = await openBehindProxy();
  proxy.counting = true;
  const backend = await open();
  const session = { kind: 'session', principal: null, profile: '{}', expiresAt: NOW + HOUR };
  for (const id of ['empty', 'full']) await backend.createSession({ id, ...session }, NOW);
  const list = async () => {
    const query = { kind: 'session', principal: undefined, afterId: undefined, limit: 10 };
    let counts: readonly object[] = [];
    const passed = await proxy.during(async () => {
      counts = (await backend.listSessions(query, NOW)).rows.map((row) => row.counts);
    });
    return { operations: operations(passed), units: units(passed), counts };
  };
  const nothing = { events: 0, stateKeys: 0 };
  const before = await list();
  const events = Array.from({ length: 90 }, () => ({ streamId: 's', message: 'm'.repeat(300), bytes: 300 }));
  await backend.appendEvents([{ sessionId: 'full', token: 't', events, expiresAt: undefined }], NOW);
  const write = { key: 'k', value: 'v'.repeat(5_000), bytes: 5_001, expectedVersion: undefined };
  const limits = { maxKeys: 10, maxBytes: 10_000 };
  await backend.commitState({ sessionId: 'full', writes: [write], limits, expiresAt: undefined }, NOW);

  expect(before).toMatchObject({ operations: ['Query', 'BatchGetItem'], counts: [nothing, nothing] });
  expect(await list()).toEqual({ ...before, counts: [nothing, { events: 90, stateKeys: 1 }] });
});
