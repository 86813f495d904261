import { createSqliteBackend } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';
import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { newFile } from './support/files.ts';

const DAY_MS = 86_400_000;

async function open(path: string) {
  const backend = await createSqliteBackend({ path });
  onTestFinished(() => backend.close());
  return backend;
}

/** The files of processes beside a database. */
async function lockFiles(path: string): Promise<string[]> {
  const names = await readdir(dirname(path));
  return names.filter((name) => name.startsWith(`${basename(path)}-process-`)).toSorted();
}

it('a process has one file while it is identified, which only its owner may use, and none after it closed', async () => {
  const path = await newFile();
  const [backend, other] = [await open(path), await open(path)];
  expect(await lockFiles(path)).toEqual([]);
  const identity = (await backend.identifyProcess?.()) ?? '';
  expect(await backend.identifyProcess?.()).toBe(identity);
  const [file = '', ...others] = await lockFiles(path);
  expect(others).toEqual([]);
  expect(file.endsWith(identity)).toBe(true);
  const { mode, size } = await stat(join(dirname(path), file));
  expect([mode & 0o777, size]).toEqual([0o600, 0]);
  await backend.close();
  expect(await lockFiles(path)).toEqual([]);
  // It lives on, so that nothing is known of it.
  expect(await other.findEndedProcesses?.([identity])).toEqual(new Set());
});

it('what killed processes have left is removed after a day, and what a live one has is not', async () => {
  const path = await newFile();
  const alive = await open(path);
  await alive.identifyProcess?.();
  const old = new Date(Date.now() - 2 * DAY_MS);
  const [live = ''] = await lockFiles(path);
  await utimes(join(dirname(path), live), old, old);
  const [dead, recent] = ['a', 'b'].map((digit) => `${path}-process-${digit.repeat(32)}`);
  for (const file of [dead, recent]) await writeFile(file ?? '', '');
  await utimes(dead ?? '', old, old);

  const next = await open(path);
  const own = await next.identifyProcess?.();
  const kept = [live, basename(recent ?? ''), `${basename(path)}-process-${own}`];
  expect(await lockFiles(path)).toEqual(kept.toSorted());
  expect(await next.findEndedProcesses?.(['a'.repeat(32), 'b'.repeat(32)])).toEqual(new Set(['b'.repeat(32)]));
});

it('a database in memory and a handle of the caller say nothing about processes', async () => {
  const database = new Database(await newFile());
  onTestFinished(() => void database.close());
  for (const backend of [await open(':memory:'), await createSqliteBackend({ database })]) {
    expect([backend.identifyProcess, backend.findEndedProcesses]).toEqual([undefined, undefined]);
  }
});
