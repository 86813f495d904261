import { createPostgresStore, migratePostgres } from '@mcp-session/postgres';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connect, newSchema } from './support/schemas.ts';

describe('tables of something else with the prefix', () => {
  it.each([
    'create table mcp_sessions (id text, data text)',
    'create view mcp_sessions as select 1 as id',
    'create table mcp_state (state text)',
    'create table mcp_tasks (title text)',
    'create table mcp_readable_sessions (title text)',
    'create view mcp_readable_events as select 1 as title',
    'create table mcp_migrations (version int)',
    "create table mcp_migrations (name text); insert into mcp_migrations values ('0001_init')",
  ])('%s: refused, and nothing is changed', async (statements) => {
    const { url, schema } = await newSchema();
    const sql = connect(url, { max: 1, connection: { search_path: schema } });
    await sql.unsafe(statements);
    const objects = () =>
      sql`select relname from pg_class where relnamespace = ${schema}::regnamespace order by relname`;
    const before = await objects();

    const foreign = {
      code: 'STORE_FAILED',
      retryable: false,
      message: 'Tables with the prefix mcp_ belong to something else; nothing was changed, set tablePrefix or schema',
    };
    await expect(createPostgresStore({ url, schema })).rejects.toMatchObject(foreign);
    await expect(migratePostgres({ url, schema })).rejects.toMatchObject(foreign);
    expect([...(await objects())]).toEqual([...before]);

    const store = await createPostgresStore({ url, schema, tablePrefix: 'own_', sweep: false });
    onTestFinished(() => store.close());
    await expect(store.create()).resolves.toBeDefined();
  });
});
