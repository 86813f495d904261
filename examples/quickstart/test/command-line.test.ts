import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { readOptions } from '../src/command-line.ts';
import { examplesFor } from '../src/welcome.ts';
import { run, serve, temporaryFolder } from './support/processes.ts';

it.each(['main.ts', 'demo.ts'] as const)('shows the options of %s', async (script) => {
  const { ended, output } = run(script, ['--help']);

  expect(await ended).toMatchObject({ exitCode: 0 });
  expect(output()).toMatch(/^Usage: npx -y pnpm@12 (start|demo) \[options\]\n/);
  expect(output()).toContain('one of: sqlite, postgres, dynamodb, memory');
});

it.each(['main.ts', 'demo.ts'] as const)('refuses a store that %s does not know', async (script) => {
  const { ended, output } = run(script, ['--store', 'toString']);

  expect(await ended).toMatchObject({ exitCode: 2 });
  expect(output()).toBe('Option --store is "toString", not one of: sqlite, postgres, dynamodb, memory\n');
});

it('refuses what is no port', async () => {
  const { ended, output } = run('main.ts', ['--port', '80a']);

  expect(await ended).toMatchObject({ exitCode: 2 });
  expect(output()).toBe('Option --port is "80a", not a whole number from 0 to 65535\n');
  for (const port of ['-1', '65536', '1e3', ' 80', '']) {
    expect(() => readOptions([`--port=${port}`])).toThrow(`Option --port is "${port}", not a whole number`);
  }
  expect(readOptions(['--port=65535'])).toMatchObject({ port: 65_535 });
});

it('has a port and a store of its own choice', () => {
  expect(readOptions([])).toMatchObject({ port: 7460, help: false });
  expect(readOptions([]).whereSessionsAre).toContain(join(process.cwd(), 'mcp-sessions.db'));
});

it.each(['main.ts', 'demo.ts'] as const)('refuses an option that %s does not know', async (script) => {
  const { ended, output } = run(script, ['--stroe', 'memory']);

  expect(await ended).toMatchObject({ exitCode: 2 });
  expect(output()).toBe('Unknown option --stroe; did you mean --store?\n');
});

it('lists its options for one that is like none of them', () => {
  expect(() => readOptions(['--verbose'])).toThrow(
    'Unknown option --verbose; there are --store, --data, --host, --port, --quiet, --version, --help',
  );
  expect(() => readOptions(['--port'])).toThrow("Option '--port <value>' argument missing");
});

it('refuses what is no host', () => {
  for (const host of ['', 'http://localhost', 'a b', '127.0.0.1/']) {
    expect(() => readOptions([`--host=${host}`])).toThrow(`Option --host is "${host}", not an address such as`);
  }
  for (const host of ['0.0.0.0', '::1', 'notes.example']) {
    expect(readOptions([`--host=${host}`])).toMatchObject({ host });
  }
});

it('says so when the machine has no such address', async () => {
  // An address of the block for documents (RFC 5737), which no machine has.
  const { ended, output } = run('main.ts', ['--store', 'memory', '--port', '0', '--host', '192.0.2.1']);

  expect(await ended).toMatchObject({ exitCode: 1 });
  expect(output()).toBe('This machine has no address "192.0.2.1": choose another one with --host\n');
});

it('listens where --host says, and is silent about sessions with --quiet', async () => {
  const { url, output } = await serve(['--store', 'memory', '--port', '0', '--host', '0.0.0.0', '--quiet']);
  const { port } = new URL(url);
  expect(url).toBe(`http://localhost:${port}/mcp`);
  const { begin, call } = examplesFor(`http://127.0.0.1:${port}/mcp`);

  const { stdout } = await promisify(execFile)('sh', ['-c', `${begin}\n${call}`]);

  expect(stdout).toContain('1 note');
  expect(output()).toMatch(/Ctrl-C stops it. Its log:\n$/);
});

it('refuses data for a store that keeps none', () => {
  expect(() => readOptions(['--store', 'memory', '--data', 'x.db'])).toThrow(
    'Option --data needs a store that keeps data',
  );
});

it.each(['main.ts', 'demo.ts'] as const)('shows the version of %s', async (script) => {
  const { ended, output } = run(script, ['--version']);

  expect(await ended).toMatchObject({ exitCode: 0 });
  expect(output()).toMatch(/^@mcp-session\/http \d+\.\d+\.\d+, Node v\d+\.\d+\.\d+\n$/);
});

it('takes its options after a separating --', async () => {
  const { url } = await serve(['--', '--store', 'memory', '--port', '0']);

  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/mcp$/);
});

it('says so when the port is in use', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo;
  const { ended, output } = run('main.ts', ['--store', 'memory', '--port', String(port)]);

  expect(await ended).toMatchObject({ exitCode: 1 });
  expect(output()).toBe(`Port ${port} is in use: choose another one with --port\n`);
});

it('says so when the data cannot be used', async () => {
  const file = join(temporaryFolder(), 'letter.txt');
  writeFileSync(file, 'Dear Sir or Madam,\n'.repeat(100));
  const { ended, output } = run('main.ts', ['--port', '0', '--data', file]);

  expect(await ended).toMatchObject({ exitCode: 1 });
  expect(output()).toContain(file);
  expect(output()).not.toContain('    at ');
});
