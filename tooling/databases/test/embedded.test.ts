import connect from 'postgres';
import { expect, it } from 'vitest';
import { type DatabaseName, openOwnServer, type OwnServer } from '../src/index.ts';
import { exerciseDynamoDb, exerciseDynamoDbFaults, exercisePostgres, exercisePostgresFaults } from './lib/exercise.ts';

async function withEmbedded(database: DatabaseName, use: (server: OwnServer) => Promise<void>): Promise<void> {
  const server = await openOwnServer(database, { env: { ...process.env, MCP_SESSION_TEST_DATABASES: 'embedded' } });
  try {
    expect(server.source).toBe('embedded');
    await use(server);
  } finally {
    await server.close();
  }
}

it('an embedded PostgreSQL serves, and keeps its data and its URL when it is killed', async () => {
  await withEmbedded('postgres', async (server) => {
    expect(server.product).toMatch(/^PostgreSQL 18\./);
    await exercisePostgres(server.url);
    await exercisePostgresFaults(server);
  });
});

it('an embedded PostgreSQL sorts text by the rules of a language, as most databases do', async () => {
  await withEmbedded('postgres', async ({ url }) => {
    const sql = connect(url, { max: 1 });
    const sorted = await sql<{ x: string }[]>`select x from (values ('a'), ('B'), ('c')) as t(x) order by x`;
    await sql.end();
    expect(sorted.map(({ x }) => x)).toEqual(['a', 'B', 'c']);
  });
});

it('an embedded DynamoDB Local serves, and keeps its tables and its URL when it is killed', async () => {
  await withEmbedded('dynamodb', async (server) => {
    await exerciseDynamoDb(server.url);
    await exerciseDynamoDbFaults(server);
  });
});
