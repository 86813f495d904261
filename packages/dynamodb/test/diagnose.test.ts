import { createDynamoDbBackend } from '@mcp-session/dynamodb';
import { expect, it, onTestFinished } from 'vitest';
import { openBehindProxy } from './support/open.ts';
import { optionsOf } from './support/storage.ts';

it('a plan names missing tables, and a diagnosis what is wrong', { timeout: 60_000 }, async () => {
  const { direct } = await openBehindProxy();
  const options = optionsOf(direct);
  const backend = await createDynamoDbBackend(options);
  const elsewhere = await createDynamoDbBackend({ ...options, autoCreateTables: false, eventsTable: 'no-such-table' });
  onTestFinished(() => Promise.all([backend.close(), elsewhere.close()]).then(() => undefined));
  await backend.migrate();

  expect(await backend.planMigration?.()).toEqual([]);
  const found = (await backend.diagnose?.(Date.now)) ?? [];
  expect(found).toHaveLength(7);
  expect(found.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect(await elsewhere.planMigration?.()).toEqual([
    'create table no-such-table for events, with time to live on the attribute ttl',
  ]);
  expect((await elsewhere.diagnose?.(Date.now))?.at(-1)).toMatchObject({
    check: 'table no-such-table',
    status: 'failure',
    remedy: 'run mcp-session migrate',
  });
});
