import { describe, expect, it } from 'vitest';
import { directions } from '../src/directions.ts';
import { parseImports } from '../src/imports.ts';
import { workspacePackages } from '../src/packages.ts';
import { manifestViolations, sourceViolation, testViolation, violations } from '../src/violations.ts';

describe('dependency directions', () => {
  it.each(workspacePackages().map((pkg) => [pkg.folder, pkg] as const))('%s keeps to its arrows', (_, pkg) => {
    expect(violations(pkg)).toEqual([]);
  });

  it('has no entry for a package that is gone', () => {
    const folders = new Set(workspacePackages().map(({ folder }) => folder));

    expect(Object.keys(directions).filter((folder) => !folders.has(folder))).toEqual([]);
  });
});

describe('what the check sees', () => {
  const core = { name: '@mcp-session/core' };
  const rule = { source: ['uuid'], types: ['@standard-schema/spec'], test: ['zod'] };
  const at = (file: string, specifier: string, typeOnly = false) => ({ file, specifier, typeOnly, computed: false });

  it.each([
    ['a backend', 'src/lib/store.ts', '@mcp-session/sqlite'],
    ['the kit', 'src/lib/store.ts', '@mcp-session/conformance'],
    ['a deep path of a package', 'src/lib/store.ts', 'kysely/dist/index.js'],
    ['its own name', 'src/lib/store.ts', '@mcp-session/core'],
    ['the test folder', 'src/lib/store.ts', '../../test/helper.ts'],
    ['a sibling package by path', 'src/lib/store.ts', '../../../sqlite/src/index.ts'],
    ['what only its tests may use', 'src/lib/store.ts', 'zod'],
    ['values of what it may use for types', 'src/lib/store.ts', '@standard-schema/spec'],
  ])('refuses a source that imports %s', (_, file, specifier) => {
    expect(sourceViolation(rule, at(file, specifier))).toEqual([`${file} imports "${specifier}"`]);
  });

  it('refuses a source that loads what it learns only when it runs, unless that is its work', () => {
    const computed = { ...at('src/lib/store.ts', 'uuid'), computed: true };

    expect(sourceViolation(rule, computed)).toHaveLength(1);
    expect(sourceViolation({ ...rule, loads: true }, computed)).toEqual([]);
  });

  it('refuses a test that imports a backend or leaves the package', () => {
    expect(testViolation(core, rule, at('test/a.test.ts', '@mcp-session/sqlite'))).toHaveLength(1);
    expect(testViolation(core, rule, at('test/a.test.ts', '../../sqlite/src/index.ts'))).toHaveLength(1);
  });

  it('accepts what the rule names, the package itself and Node', () => {
    expect(sourceViolation(rule, at('src/index.ts', 'uuid'))).toEqual([]);
    expect(sourceViolation(rule, at('src/index.ts', './lib/store.ts'))).toEqual([]);
    expect(sourceViolation(rule, at('src/lib/a.ts', 'node:crypto'))).toEqual([]);
    expect(sourceViolation(rule, at('src/lib/a.ts', '@standard-schema/spec', true))).toEqual([]);
    expect(testViolation(core, rule, at('test/a.test.ts', '@mcp-session/core/memory'))).toEqual([]);
    expect(testViolation(core, rule, at('test/deep/a.test.ts', '../../src/lib/a.ts'))).toEqual([]);
  });

  it('refuses a manifest with a dependency, a peer or a dev dependency that has no arrow', () => {
    expect(manifestViolations({ ...core, dependencies: { kysely: '1' } }, rule)).toHaveLength(1);
    expect(manifestViolations({ ...core, peerDependencies: { zod: '1' } }, rule)).toHaveLength(1);
    expect(manifestViolations({ ...core, devDependencies: { '@mcp-session/sqlite': '1' } }, rule)).toHaveLength(1);
    expect(manifestViolations({ ...core, dependencies: { uuid: '1' }, devDependencies: { zod: '1' } }, rule)).toEqual(
      [],
    );
  });

  it('finds every form of import, and none in comments or strings', () => {
    const code = `
      /** import { x } from 'comment' */
      import type { A } from 'types';
      import { type B, c } from 'mixed';
      import 'effect';
      export * from 'star';
      export type { D } from 'type-export';
      const lazy = await import('dynamic');
      const any = await import(name);
      const text = "import 'string'";
    `;

    expect(parseImports(code).toSorted((a, b) => a.specifier.localeCompare(b.specifier))).toEqual([
      { specifier: 'dynamic', computed: false, typeOnly: false },
      { specifier: 'effect', computed: false, typeOnly: false },
      { specifier: 'mixed', computed: false, typeOnly: false },
      { specifier: 'name', computed: true, typeOnly: false },
      { specifier: 'star', computed: false, typeOnly: false },
      { specifier: 'type-export', computed: false, typeOnly: true },
      { specifier: 'types', computed: false, typeOnly: true },
    ]);
  });
});
