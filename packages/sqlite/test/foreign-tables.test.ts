import { createSqliteStore } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';
import { readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { newFile } from './support/files.ts';

describe('tables of something else with the prefix', () => {
  it.each([
    'create table mcp_sessions (id text, data text)',
    'create table MCP_Sessions (id text)',
    'create view mcp_sessions as select 1 as id',
    'create table mcp_state (state text)',
    'create table mcp_records (id integer, label text)',
    'create table mcp_migrations (version integer)',
    "create table mcp_migrations (name text); insert into mcp_migrations values ('0001_init')",
    'create table mcp_migrations_lock (locked integer)',
  ])('%s: the file is refused, and unchanged', async (sql) => {
    const path = await newFile();
    new Database(path).exec(sql).close();
    const before = readFileSync(path);

    const foreign = {
      code: 'STORE_FAILED',
      retryable: false,
      message: 'Tables with the prefix mcp_ belong to something else; nothing was changed, set tablePrefix',
    };
    await expect(createSqliteStore({ path })).rejects.toMatchObject(foreign);
    const database = new Database(path);
    onTestFinished(() => void database.close());
    await expect(createSqliteStore({ database })).rejects.toMatchObject(foreign);
    expect(readFileSync(path).equals(before)).toBe(true);

    const store = await createSqliteStore({ path, tablePrefix: 'own_', sweep: false });
    await expect(store.create()).resolves.toBeDefined();
    await store.close();
  });

  it('does not hinder a migration that another process has left half done', async () => {
    const path = await newFile();
    const options = { path, sweep: false } as const;
    const first = await createSqliteStore(options);
    const { id } = await first.create();
    await first.close();
    new Database(path).exec("delete from mcp_migrations where name <> '0001-initial'; drop table mcp_records").close();
    await (await createSqliteStore(options)).close();
    new Database(path).exec('drop table mcp_migrations').close();
    const store = await createSqliteStore(options);
    expect((await store.get(id))?.id).toBe(id);
    await store.close();
  });
});
