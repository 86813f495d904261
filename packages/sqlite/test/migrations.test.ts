import { createSqliteStore } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';
import { expect, it, onTestFinished } from 'vitest';
import { newFile } from './support/files.ts';

it('a file of an older version keeps its sessions, and its tombstones lose their principal', async () => {
  const path = await newFile();
  let now = 0;
  const open = () => createSqliteStore({ path, ttlMs: 1_000, tombstoneMs: 2_000, clock: () => now, sweep: false });
  const before = await open();
  const [live, ended] = [await before.create({ principal: 'me' }), await before.create({ principal: 'me' })];
  await ended.end();
  await before.close();
  const database = new Database(path);
  onTestFinished(() => void database.close());
  database.exec(`
    alter table mcp_sessions rename column look_at to sweep_at;
    update mcp_sessions set principal = 'me';
    delete from mcp_migrations where name = '0002-look-at'`);

  now = 900;
  const store = await open();
  onTestFinished(() => store.close());
  await (await store.get(live.id, { principal: 'me' }))?.touch();
  const principals = database.prepare('select principal from mcp_sessions order by principal').pluck();
  expect(principals.all()).toEqual([null, 'me']);
  // What a server of the older version asks before it removes a session.
  expect(() => database.prepare('select pk from mcp_sessions where sweep_at <= ?')).toThrow('no such column');

  now = 1_899;
  await store.sweep();
  expect(await store.get(live.id, { principal: 'me' })).toBeDefined();
  now = 5_000;
  await store.sweep();
  expect(principals.all()).toEqual([]);
});
