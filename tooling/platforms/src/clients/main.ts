// Plays the story with clients of other languages, as far as the machine has their tools, and
// writes what happened to src/tables/recorded.json. Not a part of the tests: it installs packages
// from PyPI, the Go module proxy and crates.io.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RecordedClient } from '../tables/recorded.ts';
import { play } from './play.ts';

const RECORDED = new URL('../tables/recorded.json', import.meta.url);
const SOURCES = new URL('../../clients/', import.meta.url);

/** A client, and how to get a command that plays the story when it gets a URL. */
interface Foreign {
  readonly name: string;
  readonly version: string;
  readonly surprises: string;
  readonly prepare: (folder: string) => readonly string[];
}

const python = (flavour: string, requirement: string) => (folder: string) => {
  run('python3', ['-m', 'venv', folder]);
  run(join(folder, 'bin', 'pip'), ['install', '--quiet', requirement]);
  return [join(folder, 'bin', 'python'), fileURLToPath(new URL('python/client.py', SOURCES)), flavour];
};

const PYTHON =
  'It tries a broken stream twice and then gives the stream up. The count of the standalone stream is for the whole session: after two breaks, the client hears nothing more that is outside of a call';

const foreign: readonly Foreign[] = [
  { name: 'Python `mcp` 1', version: '1.30.0', surprises: PYTHON, prepare: python('mcp-1', 'mcp==1.30.0') },
  { name: 'Python `mcp` 2', version: '2.3.0', surprises: PYTHON, prepare: python('mcp-2', 'mcp==2.3.0') },
  { name: 'Python `fastmcp`', version: '4.2.3', surprises: PYTHON, prepare: python('fastmcp', 'fastmcp==4.2.3') },
  {
    name: 'Go SDK',
    version: '1.8.0',
    surprises:
      'An answer other than 200 to the GET that resumes a stream closes the whole client, such as 502 of a proxy. A connection that is refused is tried again: let the proxy refuse or wait while no server is up',
    prepare: (folder) => {
      cpSync(fileURLToPath(new URL('go', SOURCES)), folder, { recursive: true });
      run('go', ['build', '-o', 'client', '.'], folder);
      return [join(folder, 'client')];
    },
  },
  {
    name: 'Rust SDK `rmcp`',
    version: '3.11.0',
    surprises: 'Nothing',
    prepare: (folder) => {
      cpSync(fileURLToPath(new URL('rust', SOURCES)), folder, { recursive: true });
      run('cargo', ['build', '--quiet'], folder);
      return [join(folder, 'target', 'debug', 'story')];
    },
  },
];

function run(file: string, args: readonly string[], cwd?: string): void {
  const { status, stderr, error } = spawnSync(file, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} failed: ${error?.message ?? stderr}`);
}

const wanted = process.argv.slice(2);
const recorded = new Map(
  (JSON.parse(readFileSync(RECORDED, 'utf8')) as RecordedClient[]).map((client) => [client.name, client]),
);
for (const { name, version, surprises, prepare } of foreign) {
  if (wanted.length > 0 && !wanted.some((part) => name.toLowerCase().includes(part.toLowerCase()))) continue;
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-clients-'));
  try {
    console.log(`\n${name} ${version}`);
    const steps = await play(prepare(join(folder, 'client')), join(folder, 'sessions.db'));
    for (const { step, ok, note } of steps) console.log(`${ok ? 'ok    ' : 'FAILED'} ${step} ${note}`);
    recorded.set(name, { name, version, surprises, steps });
  } catch (error) {
    console.log(`not run: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
writeFileSync(RECORDED, `${JSON.stringify([...recorded.values()], null, 2)}\n`);
