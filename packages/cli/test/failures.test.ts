import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionError } from '@mcp-session/core';
import { createSqliteStore } from '@mcp-session/sqlite';
import { expect, it, onTestFinished } from 'vitest';
import { describeFailure } from '../src/lib/failure.ts';
import { run } from './support/cli.ts';
import { storages } from './support/stores.ts';

const secret = 'tolkien';

it.each<[string, readonly string[], number, string]>([
  ['no store', ['ls'], 2, 'Give --store, or set MCP_SESSION_STORE'],
  [
    'an address of no form',
    ['ls', '--store', `mysql://me:${secret}@host/x`],
    2,
    'Give one such as sqlite:./sessions.db',
  ],
  ['a database in memory', ['ls', '--store', 'sqlite::memory:'], 2, 'Name a file'],
  ['the memory backend', ['ls', '--store', 'memory:'], 2, 'Mount @mcp-session/studio in that server'],
  ['a file that is not there', ['ls', '--store', 'sqlite:/no/such/file.db'], 1, 'Check the path in --store'],
  [
    'a file that is not there, with a slash too many',
    ['ls', '--store', 'sqlite:////no/such/file.db'],
    1,
    'Check the path in --store',
  ],
  ['a host of SQLite', ['ls', '--store', `sqlite://me:${secret}@host/x.db`], 2, 'Name a file: sqlite:./sessions.db'],
  ['a schema of SQLite', ['ls', '--store', 'sqlite:x.db', '--schema', 'a'], 2, 'Leave out --schema'],
  ['a prefix of DynamoDB', ['ls', '--store', 'dynamodb:', '--prefix', 'a'], 2, 'Name the tables'],
  ['an unknown part of an address', ['ls', '--store', 'dynamodb:?table=a'], 2, 'It takes region, endpoint'],
  [
    'a server that is not there',
    ['ls', '--store', `postgres://me:${secret}@127.0.0.1:1/x`],
    1,
    'check that the server runs',
  ],
  ['an unknown command', ['list'], 2, 'Run "mcp-session help"'],
  ['an unknown option', ['ls', '--everything'], 2, 'Run "mcp-session help"'],
  ['a misspelled command', ['lss'], 2, 'Unknown command; did you mean ls?'],
  ['a misspelled option', ['ls', '--limt', '3'], 2, 'Unknown option; did you mean --limit?'],
  ['an option without its value', ['ls', '--limit'], 2, "Option '--limit <count>' argument missing"],
  ['help for an unknown command', ['help', secret], 2, 'Unknown command'],
  ['a limit that is no number', ['ls', '--limit', 'all'], 2, 'Give a whole number from 1'],
  ['a missing id', ['show'], 2, 'Run "mcp-session help"'],
])('%s is an error that says what to do', async (_, args, code, remedy) => {
  const ran = await run(args);

  expect(ran.stderr).toContain(remedy);
  expect(ran).toMatchObject({ code, stdout: '' });
  expect(ran.stderr).not.toContain(secret);
  for (const line of ran.stderr.split('\n')) expect(line).not.toMatch(/^\s+at /);
});

it('wrong arguments on a store that is there are errors that say what to do', async () => {
  const storage = await storages['sqlite']?.();
  const store = await storage?.open();
  const session = await store?.create();
  const id = session?.id ?? '';
  await store?.create();
  const cases: readonly (readonly [readonly string[], number, string])[] = [
    [['show', 'unknown-id'], 3, 'mcp-session ls'],
    [['show', id.slice(0, 8)], 2, 'Give more of the id'],
    [['ls', '--kind', 'No Kind'], 1, 'mcp-session count'],
    [['ls', '--anonymous', '--principal', 'a'], 2, 'Give one of them'],
    [['ls', '--principal', ''], 1, 'use --anonymous'],
    [['ls', '--cursor', 'a b'], 1, 'mcp-session ls'],
    [['events', id, '--after', '1.AAAAAAAA.s'], 1, 'an event id of this session'],
    [['events', id, '--stream', 'a b'], 1, 'Give --stream'],
    [['events', id, '--limit', '2000'], 2, 'Read on with --after'],
    [['end'], 2, 'Give their ids'],
    [['end', id, '--principal', 'a'], 2, 'Give their ids'],
    [['ls', '--prefix', 'No Prefix'], 2, 'Run "mcp-session help"'],
  ];
  for (const [args, code, remedy] of cases) {
    const ran = await run([...args, ...(storage?.args ?? [])]);
    expect({ args, ...ran }).toEqual({ args, code, stdout: '', stderr: expect.stringContaining(remedy) });
  }
});

it('the first part of an id is enough, however many expired sessions have ids like it', async () => {
  const storage = await storages['sqlite']?.();
  const path = storage?.args[1]?.slice('sqlite:'.length) ?? '';
  const earlier = await createSqliteStore({ path, sweep: false, clock: () => Date.now() - 86_400_000 });
  for (let n = 10; n < 60; n++) await earlier.create({ id: `part-${n}` });
  await earlier.close();
  const store = await storage?.open();
  await store?.create({ id: 'part-99' });

  expect((await run(['show', 'part-', ...(storage?.args ?? [])])).stdout).toContain('part-99');
  expect((await run(['show', 'part-1', ...(storage?.args ?? [])])).code).toBe(3);
  await store?.create({ id: 'part-98' });
  expect((await run(['show', 'part-', ...(storage?.args ?? [])])).stderr).toContain('Give more of the id');
});

it('a driver that is missing is not said to be an unreachable database', () => {
  const missing = new SessionError('STORE_UNAVAILABLE', 'The driver x cannot be loaded; run npm install x');

  expect(describeFailure(missing).text).toBe(`${missing.message} (STORE_UNAVAILABLE)`);
});

it('an error has one remedy, and none that fails in the same way', () => {
  const login = new SessionError('STORE_DENIED', 'Session store refuses the login; check user and password');
  expect(describeFailure(login).text).toBe(`${login.message} (STORE_DENIED)`);
  // Each command opens the store, doctor too.
  expect(describeFailure(new SessionError('STORE_FAILED', 'Session store failed with 42704')).text).not.toContain(
    'doctor',
  );
});

it('what the driver said is printed where the code says nothing', () => {
  const cause = new Error('no such function: now');
  const failed = new SessionError('STORE_FAILED', 'Session store failed; the cause of this error says more', { cause });
  expect(describeFailure(failed).text).toContain('\nCause: no such function: now');
  const denied = new SessionError('STORE_DENIED', 'Session store refuses the login', { cause });
  expect(describeFailure(denied).text).not.toContain('Cause');
});

it('a backend that is not installed is an error that says what to install', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { openBackend } = await import('../src/lib/store-address.ts');
  const store = {
    packageName: '@mcp-session/no-such-backend',
    driver: 'no-such-driver',
    factory: 'create',
    options: {},
    file: undefined,
  };

  await expect(openBackend(store, folder, 'look')).rejects.toMatchObject({
    remedy: 'Install it with its driver: npm install @mcp-session/no-such-backend no-such-driver',
  });
});

it.each([[['--json']], [['--store', 'sqlite:./x.db']], [['--json', '--']]])(
  'options without a command, %j, get the help and nothing else',
  async (args) => {
    const { stdout } = await run(['help']);

    expect(await run(args)).toEqual({ code: 2, stdout: '', stderr: stdout });
  },
);

it('end names the ids that it does not find, and gives the places of what could be something else', async () => {
  const storage = await storages['sqlite']?.();
  const store = await storage?.open();
  const live = async () => (await store?.create())?.id ?? '';
  const uuid = '01a21cc7-96bc-7c65-ae10-52fa7f611d4b';
  const task = 'task_AAAAAAAAAAAAAAAAAAAAAA';
  const address = `postgres://me:${secret}@host/x`;
  const lines: readonly (readonly [readonly string[], string, object])[] = [
    [[uuid], 'No such session', { missing: [uuid], missingPlaces: [1] }],
    [[address], 'No such session', { missing: [], missingPlaces: [1] }],
    [
      [await live(), uuid.toUpperCase(), task],
      `No such session: ${uuid.toUpperCase()}, ${task}`,
      { missing: [uuid.toUpperCase(), task], missingPlaces: [2, 3] },
    ],
    [
      [await live(), await live(), address],
      'No such session: id 3 of those given',
      { missing: [], missingPlaces: [3] },
    ],
    [
      [address, `${uuid}${secret}`, await live(), `${task}${secret}`],
      'No such session: ids 1, 2 and 4 of those given',
      { missing: [], missingPlaces: [1, 2, 4] },
    ],
    [[address, uuid], `No such session: ${uuid}, id 1 of those given`, { missing: [uuid], missingPlaces: [1, 2] }],
  ];
  for (const [ids, message, document] of lines) {
    const ran = await run(['end', ...ids, '--json', ...(storage?.args ?? [])]);
    expect({ ...ran, stdout: JSON.parse(ran.stdout) as unknown }).toEqual({
      code: 3,
      stdout: { ended: expect.any(Number) as number, ...document },
      stderr: expect.stringContaining(`${message}\n`) as string,
    });
    expect(ran.stdout + ran.stderr).not.toContain(secret);
  }
});

it('help and version go to stdout', async () => {
  const help = await run(['help']);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain('Exit codes:');
  expect(await run([])).toEqual(help);
  expect(await run(['--version'])).toMatchObject({ code: 0, stdout: '0.0.0\n' });
});
