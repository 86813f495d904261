import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { succeed, type Packed } from '../src/pack.ts';
import { compile } from '../src/project.ts';
import { repack, SERVER } from '../src/two-cores.ts';

const minutes = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'mcp-session-two-cores-'));
const project = join(folder, 'project');

// What npm does when one package was upgraded and the other was not: it gives each the core that
// its range asks for.
beforeAll(async () => {
  const get = (name: string): Packed => {
    const found = inject('packed').find((each) => each.name === name);
    if (!found) throw new Error(`"${name}" was not packed`);
    return found;
  };
  const core = get('@mcp-session/core');
  const [older, newer] = [await repack(core, '0.1.7', folder), await repack(core, '0.2.3', folder)];
  const peers = {
    ...get('@mcp-session/http').manifest.peerDependencies,
    ...get('@mcp-session/sqlite').manifest.peerDependencies,
  };
  await succeed('mkdir', ['-p', project]);
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({
      name: 'two-cores',
      private: true,
      type: 'module',
      dependencies: {
        '@mcp-session/core': `file:${newer}`,
        '@mcp-session/http': `file:${get('@mcp-session/http').tarball}`,
        '@mcp-session/sqlite': `file:${get('@mcp-session/sqlite').tarball}`,
        '@modelcontextprotocol/sdk': peers['@modelcontextprotocol/sdk'],
        'better-sqlite3': peers['better-sqlite3'],
        '@types/node': '^22',
      },
      overrides: {
        '@mcp-session/http': { '@mcp-session/core': `file:${newer}` },
        '@mcp-session/sqlite': { '@mcp-session/core': `file:${older}` },
      },
    }),
  );
  await succeed('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'], project);
  writeFileSync(join(project, 'server.ts'), SERVER);
}, 5 * minutes);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
}, minutes);

describe('two versions of core in one process', () => {
  it('are installed: one for the HTTP package, another for the SQLite backend', () => {
    expect(['@mcp-session/http/v1', '@mcp-session/sqlite'].map(versionOfCore)).toEqual(['0.2.3', '0.1.7']);
  });

  it(
    'fit each other by their types',
    async () => {
      const compilerOptions = {
        target: 'es2024',
        module: 'nodenext',
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        skipLibCheck: false,
        types: ['node'],
      };
      writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['server.ts'] }));

      await expect(compile(project)).resolves.toBeUndefined();
    },
    minutes,
  );

  it(
    'serve one session over HTTP: calls, state, and each failure with its own status',
    async () => {
      const args = ['--no-warnings', '--experimental-strip-types', 'server.ts', join(folder, 'sessions.db')];
      const output = await succeed(process.execPath, args, project);

      expect(JSON.parse(output)).toEqual({
        calls: ['1', '2'],
        isSessionError: true,
        foreign: null,
        removed: null,
        unknownCursor: 400,
        ended: 404,
        closed: 503,
      });
    },
    minutes,
  );
});

/** The version of the core that an entry gets. */
function versionOfCore(entry: string): string {
  const from = createRequire(join(project, 'server.ts'));
  // Our packages are ESM only, so the entry's own path is what `require` cannot load but can
  // resolve.
  const manifest = join(dirname(from.resolve(entry)), '..', 'package.json');
  const core = createRequire(manifest).resolve('@mcp-session/core');
  return (JSON.parse(readFileSync(join(dirname(core), '..', 'package.json'), 'utf8')) as { version: string }).version;
}
