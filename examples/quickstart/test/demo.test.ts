import { dynamoDbConfig } from '@mcp-session-tooling/databases';
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { checkChapters } from '../src/demo/checks.ts';
import { linesOf, recordable } from '../src/demo/recording.ts';
import { playOn } from '../src/demo/two-nodes.ts';
import { newDatabase } from './support/database.ts';
import { run, temporaryFolder } from './support/processes.ts';

/** Where the demo puts its data in these tests. */
function temporaryEnvironment(): { readonly folder: string; readonly env: NodeJS.ProcessEnv } {
  const parent = temporaryFolder();
  // A PostgreSQL that root starts runs as another user.
  chmodSync(parent, 0o755);
  const folder = join(parent, 'tmp');
  mkdirSync(folder);
  return { folder, env: { TMPDIR: folder, TMP: folder, TEMP: folder } };
}

// What the README shows.
const recording = readFileSync(new URL('../../../docs/demo.svg', import.meta.url), 'utf8');

/**
 * Each kind of line, once. How many chapters are stored before the kill is a matter of
 * milliseconds, and so is whether the last one has its bookmark by then.
 */
function shapesOf(lines: readonly string[]): string[] {
  const shapes = lines.map((line) => line.trim().replaceAll(/\b\d+\b/g, '#'));
  return [...new Set(shapes.filter((line) => line !== '' && !line.includes('was read again')))];
}

async function answers(url: string): Promise<boolean> {
  try {
    await fetch(url);
    return true;
  } catch {
    return false;
  }
}

it('succeeds: nothing is lost, doubled or out of order', async () => {
  const { folder, env } = temporaryEnvironment();
  const { ended, output } = run('demo.ts', [], { env });

  expect(await ended).toMatchObject({ exitCode: 0 });
  expect(output()).toMatch(/Got chapter \d+, which it had missed\n/);
  expect(shapesOf(recordable(output()))).toEqual(shapesOf(linesOf(recording)));
  expect(output()).toMatch(/Nothing was lost, doubled or out of order\n\nThe demo succeeded\.\n$/);
  expect(readdirSync(folder)).toEqual([]);
});

it('succeeds on DynamoDB', async () => {
  const { folder, env } = temporaryEnvironment();
  const { endpoint } = dynamoDbConfig(inject('dynamodb').url);
  const { ended, output } = run('demo.ts', ['--store', 'dynamodb', '--data', endpoint], { env });

  expect(await ended).toMatchObject({ exitCode: 0 });
  expect(output()).toMatch(/Nothing was lost, doubled or out of order\n\nThe demo succeeded\.\n$/);
  expect(readdirSync(folder)).toEqual([]);
});

it('succeeds on two nodes, each request to the other one, and one is killed', async () => {
  const { folder, env } = temporaryEnvironment();
  // As for a newcomer, who has named no database.
  const { ended, output } = run('demo.ts', ['--nodes', '2'], { env: { ...env, DATABASE_URL: '' } });

  expect(await ended).toMatchObject({ exitCode: 0 });
  expect(output()).toMatch(/node \d answers POST with the answer of the user\n/);
  expect(output().match(/kill -9/g)).toHaveLength(2);
  expect(output()).toMatch(/Nothing was lost, doubled or out of order\n\nThe demo succeeded\.\n$/);
  expect(readdirSync(folder)).toEqual([]);
});

it('succeeds with a task whose node is killed', async () => {
  const { folder, env } = temporaryEnvironment();
  const { ended, output } = run('demo.ts', ['--tasks'], { env });

  expect(await ended).toMatchObject({ exitCode: 0 });
  expect(output()).toMatch(
    /client \| Page \d+ of 10, by process \d+\. Answered by node [12]\n\n4\. kill -9 \d+: node [12], /,
  );
  expect(output()).toMatch(/No page was lost or doubled\n\nThe demo succeeded\.\n$/);
  expect(readdirSync(folder)).toEqual([]);
});

it.each([
  ['--tasks', '--nodes', '2'],
  ['--tasks', '--store', 'memory'],
  ['--nodes', '3'],
  ['--nodes', '2', '--store', 'memory'],
  ['--nodes', '2', '--store', 'sqlite'],
])('refuses %s %s', async (...args) => {
  expect(await run('demo.ts', args, {}).ended).toMatchObject({ exitCode: 2 });
});

it('fails and says so when the session is lost', async () => {
  const { folder, env } = temporaryEnvironment();
  const { ended, output } = run('demo.ts', ['--store', 'memory'], { env });

  expect(await ended).toMatchObject({ exitCode: 1 });
  expect(output()).toMatch(/\nThe demo failed\. Lost: the new process does not know the session/);
  expect(readdirSync(folder)).toEqual([]);
});

it('takes the database that is named, for two nodes as well', async () => {
  const url = await newDatabase();
  const { until } = run('demo.ts', ['--nodes', '2', '--data', url], {});
  await until(/node 1 answers POST tools\/call who\n/);

  const sql = postgres(url, { max: 1 });
  expect(await sql`select from mcp_two_nodes.mcp_sessions`).not.toHaveLength(0);
  await sql.end();
});

it('fails when two nodes do not share their sessions', async () => {
  const databases = await Promise.all([newDatabase(), newDatabase()]);
  const abort = new AbortController();
  const ends: (() => Promise<void>)[] = [];
  onTestFinished(async () => {
    abort.abort();
    await Promise.all(ends.map(async (end) => await end()));
  });

  const fail = (error: Error): void => abort.abort(error);
  const play = playOn({ signal: abort.signal, fail, atEnd: (end) => ends.push(end) }, databases);
  await expect(play).rejects.toThrow('Session not found');
});

it.each(['SIGINT', 'SIGKILL'] as const)('leaves no server behind after %s', async (signal) => {
  const { env } = temporaryEnvironment();
  const { child, ended, until } = run('demo.ts', [], { env });
  const [, url = ''] = await until(/server \| Process \d+, (\S+)\n/);
  await until(/Got chapter 1\n/);

  expect(await answers(url)).toBe(true);
  child.kill(signal);
  await ended;
  await expect.poll(() => answers(url), { timeout: 10_000 }).toBe(false);
});

describe('the checks of the demo', () => {
  it.each([
    ['a lost chapter', [1, 2, 4], 'Lost: chapter 3. It got 1, 2, 4'],
    ['no chapter', [], 'Lost: chapter 1, 2, 3, 4. It got none'],
    ['a doubled chapter', [1, 2, 2, 3, 4], 'Doubled: chapter 2. It got 1, 2, 2, 3, 4'],
    ['chapters out of order', [1, 3, 2, 4], 'Out of order. It got 1, 3, 2, 4'],
    ['a chapter too many', [1, 2, 3, 4, 5], 'Out of order. It got 1, 2, 3, 4, 5'],
  ])('notice %s', (_what, chapters, message) => {
    expect(() => checkChapters(chapters, 1, 4)).toThrow(message);
  });

  it('let through what is complete', () => {
    expect(() => checkChapters([3, 4, 5], 3, 5)).not.toThrow();
  });
});
