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
