import { describe, expect, it } from 'vitest';
import { circlesOf } from '../src/circles.ts';
import { floors, floorViolations } from '../src/floors.ts';
import { workspacePackages } from '../src/packages.ts';
import { circlesIn, floorsOf } from '../src/violations.ts';

const packages = workspacePackages().map((pkg) => [pkg.folder, pkg] as const);
const published = packages.filter(([folder]) => folder.startsWith('packages/'));

describe('folders inside a package', () => {
  it.each(published)('%s imports downwards only', (_, pkg) => {
    expect(floorsOf(pkg)).toEqual([]);
  });

  it('are declared for packages that exist', () => {
    expect(Object.keys(floors).filter((folder) => !packages.some(([name]) => name === folder))).toEqual([]);
  });

  it.each(packages)('%s has no circle of files', (_, pkg) => {
    expect(circlesIn(pkg)).toEqual([]);
  });
});

describe('what the check of folders sees', () => {
  const order = [['protocol'], ['options.ts'], ['node', 'lambda'], ['*']];
  const files = ['src/index.ts', 'src/lib/protocol/ids.ts', 'src/lib/options.ts', 'src/lib/node/a.ts'];
  const all = [...files, 'src/lib/lambda/b.ts'];
  const arrow = (file: string, specifier: string, typeOnly = false) => ({ file, specifier, typeOnly, computed: false });

  it.each([
    ['a higher folder', 'src/lib/protocol/ids.ts', '../node/a.ts', 'src/lib/node/a.ts'],
    ['a higher file', 'src/lib/protocol/ids.ts', '../options.ts', 'src/lib/options.ts'],
    ['a folder of the same floor', 'src/lib/node/a.ts', '../lambda/b.ts', 'src/lib/lambda/b.ts'],
    ['what has no floor of its own', 'src/lib/node/a.ts', '../handler.ts', 'src/lib/handler.ts'],
    ['an entry', 'src/lib/node/a.ts', '../../index.ts', 'src/index.ts'],
  ])('refuses an import of %s, types included', (_, file, specifier, target) => {
    expect(floorViolations(order, all, [arrow(file, specifier)])).toEqual([`${file} imports ${target}`]);
    expect(floorViolations(order, all, [arrow(file, specifier, true)])).toEqual([`${file} imports ${target}`]);
  });

  it('accepts imports of lower folders, of the same folder, and everything from an entry', () => {
    const arrows = [
      arrow('src/lib/node/a.ts', '../protocol/ids.ts'),
      arrow('src/lib/node/a.ts', './c.ts'),
      arrow('src/lib/node/a.ts', 'node:fs'),
      arrow('src/index.ts', './lib/node/a.ts'),
    ];

    expect(floorViolations(order, all, arrows)).toEqual([]);
  });

  it('refuses folders without a floor and floors without a folder', () => {
    expect(floorViolations(undefined, all, [])).toHaveLength(3);
    expect(floorViolations(undefined, ['src/index.ts', 'src/lib/options.ts'], [])).toEqual([]);
    expect(floorViolations(order, files, [])).toEqual(['src/lib/lambda is not there']);
    expect(floorViolations([['protocol', 'node', 'lambda']], all, [])).toEqual(['src/lib/options.ts is on no floor']);
  });

  it('finds circles through any number of files, types included, and only those', () => {
    const arrows = [
      arrow('src/a.ts', './b.ts'),
      arrow('src/b.ts', './lib/c.ts', true),
      arrow('src/lib/c.ts', '../a.ts'),
      arrow('src/lib/c.ts', './d.ts'),
      arrow('src/lib/d.ts', './e.ts'),
      arrow('src/lib/e.ts', './d.ts', true),
      arrow('src/f.ts', './a.ts'),
    ];

    expect(circlesOf(arrows)).toEqual([
      ['src/lib/d.ts', 'src/lib/e.ts'],
      ['src/a.ts', 'src/b.ts', 'src/lib/c.ts'],
    ]);
  });
});
