import { transportOf } from '@mcp-session/core/transport';
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
    drop table mcp_records;
    delete from mcp_migrations where name <> '0001-initial'`);

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

it('a record that an older version kept in the profile is there, and the next change moves it', async () => {
  const path = await newFile();
  const before = await createSqliteStore({ path, sweep: false });
  const { id } = await before.create({ metadata: { kept: true }, protocol: { logLevel: 'info' } });
  await before.close();
  const database = new Database(path);
  onTestFinished(() => void database.close());
  database.exec(`
    drop table mcp_records;
    update mcp_sessions set profile = json_set(profile, '$.record', json('{"epoch":7}'));
    delete from mcp_migrations where name = '0003-records'`);

  const store = await createSqliteStore({ path, sweep: false });
  onTestFinished(() => store.close());
  const session = await store.get(id);
  if (session === undefined) throw new Error('The session is gone');
  expect(transportOf(session).transport).toMatchObject({ protocol: { logLevel: 'info' }, record: { epoch: 7 } });
  await transportOf(session).updateTransport((facts) => ({ ...facts, record: undefined }));
  const found = await store.get(id);
  expect(found?.metadata).toEqual({ kept: true });
  expect(found && transportOf(found).transport.record).toBeUndefined();
  expect(database.prepare("select json_extract(profile, '$.record') from mcp_sessions").pluck().get()).toBeNull();
});
