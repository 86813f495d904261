import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { buildCommand, run } from '@mcp-session-tooling/workspace/command';
import { workspacePackages, type Manifest, type WorkspacePackage } from '@mcp-session-tooling/workspace/packages';
import { compare, type Side } from '../lib/compare.ts';
import { duration } from '../lib/format.ts';
import type { Fact, Scale, Section } from '../lib/result.ts';

/**
 * Entries that a server imports when it starts, and the driver or SDK that it would import anyway.
 * A kit that only tests load has none.
 */
const ENTRIES: Readonly<Record<string, readonly (readonly [entry: string, beside: string])[]>> = {
  '@mcp-session/core': [['@mcp-session/core/memory', '']],
  '@mcp-session/sqlite': [['@mcp-session/sqlite', 'better-sqlite3']],
  '@mcp-session/postgres': [['@mcp-session/postgres', 'postgres']],
  '@mcp-session/dynamodb': [['@mcp-session/dynamodb', '@aws-sdk/client-dynamodb']],
  '@mcp-session/http': [
    ['@mcp-session/http/v2', '@modelcontextprotocol/server'],
    ['@mcp-session/http/v1', '@modelcontextprotocol/sdk/server/mcp.js'],
  ],
  '@mcp-session/conformance': [],
};

/**
 * The first call of a process to a new store, and to the driver, which loads its library only then.
 */
const FIRST_USE: Readonly<Record<string, readonly [ours: string, beside: string]>> = {
  '@mcp-session/core/memory': ['await (await m.createMemoryStore()).create()', ''],
  '@mcp-session/sqlite': [
    `await (await m.createSqliteStore({ path: ':memory:' })).create()`,
    `new m.default(':memory:').prepare('select 1').get()`,
  ],
};

/** The size of each package with its dependencies, and how long it takes to load. */
export async function packages({ quick, say }: Scale): Promise<Section> {
  const { ok, output } = await run({ file: buildCommand[0], args: buildCommand[1] });
  if (!ok) throw new Error(`The packages cannot be built\n${output}`);
  const facts: Fact[] = [];
  for (const found of workspacePackages()) {
    const entries = ENTRIES[found.manifest.name];
    if (entries === undefined) continue;
    const peers = [...new Set(entries.map(([, beside]) => packageOf(beside)).filter((name) => name !== ''))];
    facts.push({
      name: `${found.manifest.name}: installed with its dependencies, without peers`,
      value: mib(installed(found)),
      beside: peers.map((name) => `${name}: ${mib(driver(name))}`).join(', '),
    });
    for (const [entry, beside] of entries) {
      const use = FIRST_USE[entry];
      const sides = {
        ours: loading(entry),
        used: loading(entry, use?.[0]),
        bare: loading(''),
        driver: loading(beside),
        driverUsed: loading(beside, use?.[1]),
      };
      const { times } = await compare(sides, { blocks: quick ? 0 : 5, runs: quick ? 1 : 3 });
      const bare = times('bare').medianMs;
      const more = (name: keyof typeof sides) => duration(Math.max(0, times(name).medianMs - bare));
      say(`${entry}: ${more('ours')}`);
      const other = beside === '' ? `Node itself: ${duration(bare)}` : `${beside}: ${more('driver')}`;
      facts.push({ name: `${entry}: time to load, peers included`, value: more('ours'), beside: other });
      if (use === undefined) continue;
      facts.push({
        name: `${entry}: the same, to the first session`,
        value: more('used'),
        beside: beside === '' ? '' : `${beside}, to the first query: ${more('driverUsed')}`,
      });
    }
  }
  return {
    id: 'packages',
    title: 'Packages',
    text: 'Sizes are of the files on the disk, including dependencies, for drivers and SDKs too. A time to load is the time of a process that imports the built package, minus the time of one that imports nothing.',
    facts,
  };
}

function loading(entry: string, use: string = ''): Side {
  const code = entry === '' ? '' : `const m = await import(${JSON.stringify(entry)});\n${use};\nprocess.exit()`;
  return {
    run: () => {
      const args = ['--no-warnings', '--input-type=module', '--eval', code];
      const { status, stderr } = spawnSync(process.execPath, args, { cwd: import.meta.dirname, encoding: 'utf8' });
      if (status !== 0) throw new Error(`${entry} cannot be loaded: ${stderr}`);
    },
  };
}

/** Bytes of a driver or an SDK with its dependencies. */
function driver(name: string): number {
  const path = folderOf(name, import.meta.dirname);
  const manifest = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Manifest;
  return sizeOf(path) + dependencies(manifest, path, new Set([path]));
}

/** Name of the package that an entry belongs to. */
function packageOf(entry: string): string {
  return entry
    .split('/')
    .slice(0, entry.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Bytes of a published package with its dependencies. */
function installed({ path, manifest }: WorkspacePackage, seen: Set<string> = new Set()): number {
  seen.add(path);
  const own = ['dist', 'src', 'package.json', 'README.md'].reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
  return own + dependencies(manifest, path, seen);
}

function dependencies(manifest: Manifest, from: string, seen: Set<string>): number {
  let sum = 0;
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    const path = folderOf(name, from);
    if (seen.has(path)) continue;
    seen.add(path);
    const its = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Manifest;
    sum += name.startsWith('@mcp-session/')
      ? installed({ path, manifest: its, folder: '' }, seen)
      : sizeOf(path) + dependencies(its, path, seen);
  }
  return sum;
}

function folderOf(name: string, from: string): string {
  for (const folder of createRequire(join(from, 'package.json')).resolve.paths(name) ?? []) {
    if (existsSync(join(folder, name))) return realpathSync(join(folder, name));
  }
  throw new Error(`Package ${name} is not installed`);
}

function sizeOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.size;
  return readdirSync(path)
    .filter((name) => name !== 'node_modules')
    .reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)} MiB`;
}
