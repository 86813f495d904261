import { describe, expect, it } from 'vitest';
import { images, openOwnServer } from '../src/index.ts';
import { exerciseDynamoDb, exerciseDynamoDbFaults, exercisePostgres, exercisePostgresFaults } from './lib/exercise.ts';
import { remainsAfter } from './lib/orphans.ts';

const env = { ...process.env, MCP_SESSION_TEST_DATABASES: 'docker' };

describe.each([
  ['postgres', images.postgres, exercisePostgres, exercisePostgresFaults],
  ['dynamodb', images.dynamodb, exerciseDynamoDb, exerciseDynamoDbFaults],
] as const)('%s in Docker', (database, image, exercise, exerciseFaults) => {
  it('serves, and keeps its data and its URL when it is killed', async () => {
    const server = await openOwnServer(database, { env });
    try {
      expect(server.source).toBe('docker');
      expect(server.product).toContain(`from ${image}`);
      await exercise(server.url);
      await exerciseFaults(server);
    } finally {
      await server.close();
    }
  });
});

it('leaves no container behind after SIGKILL', async () => {
  const { before, after } = await remainsAfter('SIGKILL', 'docker', ['postgres', 'dynamodb']);
  expect(before.answering).toBe(2);
  expect(after.answering).toBe(0);
});
