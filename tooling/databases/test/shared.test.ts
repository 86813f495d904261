import { expect, inject, it } from 'vitest';
import { exerciseDynamoDb, exercisePostgres } from './lib/exercise.ts';

// Whatever source this run found: a server of the environment, of Docker, or an embedded one.
it('gives each run a PostgreSQL', async () => {
  expect(inject('postgres').product).toMatch(/^PostgreSQL \d/);
  await exercisePostgres(inject('postgres').url);
});

it('gives each run a DynamoDB', async () => {
  expect(inject('dynamodb').product).toMatch(/^DynamoDB Local/);
  await exerciseDynamoDb(inject('dynamodb').url);
});
