import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { run } from '@mcp-session-tooling/workspace/command';
import { root, type Manifest } from '@mcp-session-tooling/workspace/packages';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { published, succeed, type Packed } from '../src/pack.ts';
import { checkEntries, createProject, failureOf, importEntry, runKit } from '../src/project.ts';

const minutes = 60_000;
const attw = join(root, 'tooling', 'packaging', 'node_modules', '.bin', 'attw');
const folder = mkdtempSync(join(tmpdir(), 'mcp-session-packaging-'));
const packed = new Map(inject('packed').map((each) => [each.name, each]));
const installed = new Map<string, Promise<void> | undefined>();

// An optional peer is the user's choice, so each entry is tried with those alone that it is for.
const optionalPeers: Readonly<Record<string, readonly string[]>> = {
  '@mcp-session/http/v1': ['@modelcontextprotocol/sdk'],
  '@mcp-session/http/v2': ['@modelcontextprotocol/server'],
  '@mcp-session/tasks/v1': ['@modelcontextprotocol/sdk'],
  '@mcp-session/tasks/v2': ['@modelcontextprotocol/server'],
  '@mcp-session/conformance/vitest': ['vitest'],
};

function get(name: string): Packed {
  const found = packed.get(name);
  if (!found) throw new Error(`"${name}" was not packed`);
  return found;
}

// While the packages themselves are looked at.
beforeAll(installProjects);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  // Ten thousands of files: more than a minute on a disk that is busy.
}, 5 * minutes);

describe.each(published.map(({ manifest }) => manifest.name))('%s', (name) => {
  it('ships what a user needs, and no tests', () => {
    const { files } = get(name);

    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']));
    expect(
      files.filter(
        (file) => !/^(LICENSE|README\.md|CHANGELOG\.md|package\.json|(dist|src|infrastructure)\/.+)$/.test(file),
      ),
    ).toEqual([]);
    expect(files.filter((file) => /(^|\/)(test|tests|__tests__)\/|\.(test|spec)\.|tsbuildinfo/.test(file))).toEqual([]);
  });

  it('ships a build of each source, and nothing that an older build left', () => {
    const { files } = get(name);
    const sources = files.filter((file) => file.startsWith('src/')).map((file) => file.slice(4, -3));
    const built = sources.flatMap((file) => ['js', 'js.map', 'd.ts', 'd.ts.map'].map((end) => `dist/${file}.${end}`));

    expect(files.filter((file) => file.startsWith('dist/'))).toEqual(built.toSorted());
  });

  it('has source maps that point into the package', () => {
    const { unpacked, files } = get(name);

    for (const file of files.filter((one) => one.endsWith('.map'))) {
      const { sources } = JSON.parse(readFileSync(join(unpacked, file), 'utf8')) as { sources: string[] };
      expect(sources.filter((source) => !existsSync(join(unpacked, dirname(file), source)))).toEqual([]);
    }
  });

  it('has a README whose links work where the package stands alone, and whose paths are in the repository', () => {
    const { unpacked } = get(name);
    const source = published.find(({ manifest }) => manifest.name === name)?.path ?? root;
    const text = readFileSync(join(unpacked, 'README.md'), 'utf8');
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)\s#]+)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !existsSync(join(unpacked, link)))).toEqual([]);

    const paths = [...text.matchAll(/`((?:test|docs|examples)\/[\w./-]+)`/g)].map(([, path = '']) => path);
    const isThere = (path: string) => existsSync(join(path.startsWith('test/') ? source : root, path));
    expect(paths.filter((path) => !isThere(path))).toEqual([]);
  });

  it('tells nothing of the workspace or the machine that built it', () => {
    const { unpacked, files } = get(name);
    const traces = [root.slice(0, -1), `${homedir()}${sep}`];

    expect(readFileSync(join(unpacked, 'package.json'), 'utf8')).not.toMatch(/"(workspace|catalog|link|file):/);
    expect(
      files.filter((file) => traces.some((trace) => readFileSync(join(unpacked, file), 'utf8').includes(trace))),
    ).toEqual([]);
  });

  it('passes publint --strict', async () => {
    const { tarball, manifest } = get(name);
    const bytes = readFileSync(tarball);
    const { messages } = await publint({
      strict: true,
      pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
    });

    expect(messages.map((message) => formatMessage(message, manifest, { color: false }))).toEqual([]);
  });

  it(
    'passes attw --profile esm-only',
    async () => {
      const output = await succeed(attw, [get(name).tarball, '--profile', 'esm-only', '--no-emoji', '--no-color']);

      for (const entry of entriesOf(get(name).manifest)) expect(output).toContain(`"${entry}"`);
    },
    minutes,
  );
});

describe.each(projects())('an empty project with $name', ({ name, entries }) => {
  const project = folderOf(name);

  beforeAll(() => installed.get(name), 5 * minutes);

  it.each(entries)('imports %s', async (entry) => {
    expect(await importEntry(project, entry)).not.toEqual([]);
  });

  it(
    'type-checks as ESM and in a package that is CommonJS, declarations of the dependencies included',
    async () => {
      await expect(checkEntries(project, entries)).resolves.toBeUndefined();
    },
    minutes,
  );
});

it.each([
  [
    'the driver of SQLite',
    'better-sqlite3',
    'STORE_UNAVAILABLE The driver better-sqlite3 cannot be loaded; run npm install better-sqlite3, and keep the package out of bundles',
  ],
  [
    // As on a platform without one, in a bundle, or with an older driver whose install script did
    // not run.
    'the native code of that driver',
    'better-sqlite3/prebuilds',
    'STORE_UNAVAILABLE The native code of better-sqlite3 cannot be loaded here; run npm install better-sqlite3@13 on this platform, and keep the package out of bundles',
  ],
])(
  'a project without %s gets an error that says what to install',
  async (_what, path, error) => {
    await installed.get('@mcp-session/sqlite');
    const project = folderOf('@mcp-session/sqlite');
    const missing = join(project, 'node_modules', path);
    renameSync(missing, `${missing}-away`);
    try {
      expect(await failureOf(project, '@mcp-session/sqlite', 'createSqliteStore')).toBe(error);
      expect(readdirSync(project).filter((file) => file.endsWith('.db'))).toEqual([]);
    } finally {
      renameSync(`${missing}-away`, missing);
    }
  },
  5 * minutes,
);

describe('an empty project of an operator', () => {
  it(
    'runs the command, which says what to install and then looks into a store',
    async () => {
      const project = join(folder, 'projects', 'operator');
      const command = join(project, 'node_modules', '.bin', 'mcp-session');
      const mcpSession = (...args: string[]) =>
        run({ file: 'env', args: ['-u', 'NODE_PATH', command, ...args], cwd: project });
      const at = ['--store', 'sqlite:./sessions.db'];

      await createProject(project, { packages: [get('@mcp-session/cli')], others: {} }, [...packed.values()]);
      const alone = await mcpSession('migrate', ...at);
      expect(alone.output).toContain('npm install @mcp-session/sqlite better-sqlite3');
      expect(alone.ok).toBe(false);

      const { peerDependencies = {} } = get('@mcp-session/sqlite').manifest;
      const packages = [get('@mcp-session/cli'), get('@mcp-session/sqlite')];
      await createProject(project, { packages, others: peerDependencies }, [...packed.values()]);
      expect((await mcpSession('migrate', ...at)).output).toContain('The store is migrated.');
      expect(await mcpSession('count', '--json', ...at)).toMatchObject({ ok: true, output: '{}\n' });
      expect((await mcpSession('doctor', ...at)).output).toMatch(/better-sqlite3 \d+/);
      expect((await mcpSession('--version')).output).toBe('0.0.0\n');
    },
    5 * minutes,
  );
});

describe('an empty project of the author of a backend', () => {
  it(
    'runs the kit, with second processes',
    async () => {
      const project = join(folder, 'projects', 'backend');
      const packages = [get('@mcp-session/conformance'), get('@mcp-session/sqlite')];
      const vitest = get('@mcp-session/conformance').manifest.peerDependencies?.['vitest'] ?? 'missing';
      await createProject(project, { packages, others: { vitest } }, [...packed.values()]);

      expect(stripVTControlCharacters(await runKit(project))).toMatch(/Tests +\d+ passed \(\d+\)/);
    },
    5 * minutes,
  );
});

function entriesOf({ name, exports = {} }: Manifest): string[] {
  return Object.keys(exports).map((entry) => name + entry.slice(1));
}

function folderOf(project: string): string {
  return join(folder, 'projects', project.replaceAll(/\W+/g, '-'));
}

/** Two at a time, since npm waits for the registry and for the disk as much as it works. */
function installProjects(): void {
  const lanes: Promise<unknown>[] = [Promise.resolve(), Promise.resolve()];
  for (const [index, { name, pkg, peers }] of projects().entries()) {
    const { manifest } = get(pkg);
    const others = Object.fromEntries(peers.map((peer) => [peer, manifest.peerDependencies?.[peer] ?? 'missing']));
    const plan = { packages: [get(pkg)], others: { ...others, '@types/node': '^22' } };
    const done = lanes[index % 2]?.then(() => createProject(folderOf(name), plan, [...packed.values()]));
    installed.set(name, done);
    // The tests of that project report a failure, and the next one is installed.
    lanes[index % 2] = done?.catch(() => undefined) ?? Promise.resolve();
  }
}

function projects(): { name: string; pkg: string; entries: string[]; peers: readonly string[] }[] {
  return published.flatMap(({ manifest }) => {
    const entries = entriesOf(manifest);
    const alone = entries.filter((entry) => entry in optionalPeers);
    const together = entries.filter((entry) => !(entry in optionalPeers));
    return [
      ...(together.length > 0 ? [{ name: manifest.name, pkg: manifest.name, entries: together, peers: [] }] : []),
      ...alone.map((entry) => ({
        name: entry,
        pkg: manifest.name,
        entries: [entry],
        peers: optionalPeers[entry] ?? [],
      })),
    ];
  });
}
