import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { programOf } from '../src/lib/program.ts';
import { run } from './support/cli.ts';
import { storages } from './support/stores.ts';

const secret = 'S3CRET';

/** No server listens at any of them, and most have a mistake. */
const addresses = [
  `postgres://app:${secret}@127.0.0.1:1/app`,
  `postgresql://app:${secret}@127.0.0.1:1/app?password=${secret}`,
  `postgres://app:${secret}@127.0.0.1:99999/app`,
  `postgres://app:${secret}@[bad/app`,
  `postgres://app:${secret}%zz@127.0.0.1:1/app`,
  `postgres://app:12/${secret}@127.0.0.1:1/app`,
  `postgres:app:${secret}@127.0.0.1`,
  `dynamodb://AKIAEXAMPLE:${secret}@eu-central-1`,
  `dynamodb:?region=x&secretAccessKey=${secret}`,
  `dynamodb:?${secret}`,
  `dynamodb:?region=x&endpoint=http://AKIAEXAMPLE:${secret}@127.0.0.1:99999`,
  `dynamodb:?region=x&sessionsTable=a"${secret}"!`,
  `sqlite://app:${secret}@127.0.0.1/app`,
  `mysql://app:${secret}@127.0.0.1/app`,
  `https://app:${secret}@127.0.0.1/app`,
  `app:${secret}@127.0.0.1`,
  `memory:${secret}`,
];
/** Values that are mistaken for something else in the place of an argument. */
const values = [...addresses, secret, `-p${secret}`, `--${secret}`, `"${secret}"`, `\\"${secret}`, `${secret}\n x`];

/** Every command with the least of its arguments, and with the options that it and all take. */
const commands = programOf({ stdout: process.stdout, stderr: process.stderr, env: {}, folder: '' }, '').commands.map(
  (command) => ({
    words: [command.name(), ...command.registeredArguments.filter(({ required }) => required).map(() => 'some-id')],
    options: [...command.options, ...(command.parent?.options ?? [])].flatMap(({ long }) => long ?? []),
  }),
);

/** Every command line with a value in a place where it does not belong. */
function* linesWith(value: string, names?: readonly string[]): Generator<readonly string[]> {
  yield [value];
  yield ['help', value];
  yield [`--version=${value}`];
  for (const { words, options } of commands) {
    const [name = '', ...rest] = words;
    if (names?.includes(name) === false) continue;
    yield [name, value];
    yield [name, value, ...rest];
    yield [...words, value];
    yield [...words, 'some-key', value, value];
    yield [value, ...words];
    for (const option of [...options, '--stroe', '-s', '-']) {
      if (option === '--store') continue;
      // A name that tables can have is part of the command that creates them.
      if (/^--(?:schema|prefix)$/.test(option) && /^[\w-]+$/.test(value)) continue;
      yield [...words, option, value];
      yield [...words, `${option}=${value}`];
      yield [...words, `${option}${value}`];
      yield [option, value, ...words];
    }
  }
}

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a command that ends at once, and returns what it wrote where the secret is in it. */
async function leak(args: readonly string[], env: Readonly<Record<string, string>>, folder: string) {
  const { stdout, stderr } = await run(args, { env, folder, signal: AbortSignal.abort() });
  const written = `${stdout}${stderr}`;
  expect(written).not.toBe('');
  return written.includes(secret) ? [{ args, written }] : [];
}

describe('no message quotes', () => {
  it.each(addresses)('the address %s', async (address) => {
    const folder = emptyFolder();
    const leaks = [];
    for (const { words } of commands) {
      leaks.push(...(await leak(words, { MCP_SESSION_STORE: address }, folder)));
      leaks.push(...(await leak([...words, '--store', address], {}, folder)));
      leaks.push(...(await leak(['--json', `--store=${address}`, ...words], {}, folder)));
    }
    expect(leaks).toEqual([]);
  });

  it.each(values)('%j in the place of another argument', async (value) => {
    expect(await leaksOf('sqlite', linesWith(value))).toEqual([]);
  });

  // Few mistakes reach a backend.
  it.each(['postgres', 'dynamodb'])('an address in the place of another argument, on %s', async (backend) => {
    expect(await leaksOf(backend, linesWith(values[0] ?? '', ['ls', 'events', 'migrate']))).toEqual([]);
  });
});

async function leaksOf(backend: string, lines: Iterable<readonly string[]>) {
  const storage = await storages[backend]?.();
  if (storage === undefined) throw new Error('no such backend');
  await storage.open();
  const folder = emptyFolder();
  const leaks = [];
  for (const line of lines) leaks.push(...(await leak([...storage.args, ...line], storage.env, folder)));
  return leaks;
}
