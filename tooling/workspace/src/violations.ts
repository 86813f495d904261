import { existsSync, globSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { circlesOf } from './circles.ts';
import { allows, directions, everybody, packageOf, type Direction } from './directions.ts';
import { floors, floorViolations } from './floors.ts';
import { importsOf, type Import } from './imports.ts';
import type { Manifest, WorkspacePackage } from './packages.ts';

/** Every arrow of a package that `directions` does not have, in words; empty when all is well. */
export function violations(pkg: WorkspacePackage): string[] {
  const direction = directions[pkg.folder];
  if (!direction) return [`${pkg.folder} has no entry in tooling/workspace/src/directions.ts`];
  return [
    ...manifestViolations(pkg.manifest, direction),
    ...importsOf(pkg.path, 'src').flatMap((found) => sourceViolation(direction, found)),
    ...importsOf(pkg.path, 'test').flatMap((found) => testViolation(pkg.manifest, direction, found)),
    ...entryViolations(pkg),
  ];
}

/** Every import inside a published package that goes to a higher folder, in words. */
export function floorsOf(pkg: WorkspacePackage): string[] {
  const files = globSync('src/**/*.ts', { cwd: pkg.path }).map((file) => file.replaceAll('\\', '/'));
  return floorViolations(floors[pkg.folder], files, importsOf(pkg.path, 'src'));
}

/** Every circle of files of a package, its tests included. */
export function circlesIn(pkg: WorkspacePackage): string[][] {
  return circlesOf([...importsOf(pkg.path, 'src'), ...importsOf(pkg.path, 'test')]);
}

/** The arrows of a manifest alone. */
export function manifestViolations(manifest: Manifest, { source, types = [], test }: Direction): string[] {
  const installed = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies };
  return [
    ...Object.keys(installed)
      .filter((name) => !allows([...source, ...types], name))
      .map((name) => `package.json depends on "${name}"`),
    ...Object.keys(manifest.devDependencies ?? {})
      .filter((name) => !allows([...source, ...types, ...test, ...everybody], name))
      .map((name) => `package.json has the dev dependency "${name}"`),
  ];
}

/** The arrow of one import in `src`. */
export function sourceViolation(direction: Direction, found: Import): string[] {
  const { source, types = [], loads = false } = direction;
  const target = packageOf(found.specifier);
  const allowed = found.computed
    ? loads
    : isFree(found) || allows(source, target) || (found.typeOnly && allows(types, target));
  return allowed ? [] : [`${found.file} imports "${found.specifier}"`];
}

/** The arrow of one import in `test`. */
export function testViolation({ name }: Manifest, { source, types = [], test }: Direction, found: Import): string[] {
  if (found.computed || isFree(found)) return [];
  const target = packageOf(found.specifier);
  // A package's own tests may use its published entries by name, as a user does.
  if (target === name || allows([...source, ...types, ...test, ...everybody], target)) return [];
  return [`${found.file} imports "${found.specifier}"`];
}

// Node's own modules, and files of the same package: a source never reaches into the tests, nothing
// leaves the package.
function isFree({ file, specifier }: Import): boolean {
  if (specifier.startsWith('node:')) return true;
  if (!specifier.startsWith('.')) return false;
  const target = posix.join(posix.dirname(file), specifier);
  return file.startsWith('src/') ? target.startsWith('src/') : !target.startsWith('..');
}

// The published entries and commands are exactly the files directly in src. Everything else is in
// src/lib, and private.
function entryViolations({ path, folder, manifest }: WorkspacePackage): string[] {
  if (manifest.private === true || !existsSync(join(path, 'src'))) return [];
  const commands = Object.values(manifest.bin ?? {}).map((file) =>
    file.replace('./dist/', './src/').replace(/js$/, 'ts'),
  );
  const exported = Object.values(manifest.exports ?? {}).map((entry) =>
    typeof entry === 'string' ? entry : entry['@mcp-session/source'],
  );
  const entries = [...commands, ...exported];
  const files = readdirSync(join(path, 'src'), { withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => `./src/${file.name}`);
  return [
    ...files.filter((file) => !entries.includes(file)).map((file) => `${folder}: ${file} is not an entry of "exports"`),
    ...entries.filter((entry) => !files.includes(entry ?? '')).map((entry) => `${folder}: no file for entry ${entry}`),
  ];
}
