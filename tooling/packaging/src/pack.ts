import { globSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildCommand, run } from '@mcp-session-tooling/workspace/command';
import type { Manifest, WorkspacePackage } from '@mcp-session-tooling/workspace/packages';

/** A package as its user gets it. */
export interface Packed {
  readonly name: string;
  /** Absolute path of the tarball. */
  readonly tarball: string;
  /** Absolute path of the folder that the tarball was unpacked to. */
  readonly unpacked: string;
  /** The manifest in the tarball. */
  readonly manifest: Manifest;
  /** Every file of the tarball, with its path from the package's root. */
  readonly files: readonly string[];
}

/** Builds all packages, from the cache where nothing has changed. */
export async function buildAll(): Promise<void> {
  await succeed(...buildCommand);
}

/** Packs a built package, and unpacks it beside the tarball. */
export async function pack({ path, manifest: { name } }: WorkspacePackage, folder: string): Promise<Packed> {
  const tarball = join(folder, `${name.replaceAll(/[@/]+/g, '-').slice(1)}.tgz`);
  const unpackedTo = join(folder, 'unpacked', name);
  mkdirSync(unpackedTo, { recursive: true });
  await succeed('npx', ['--yes', 'pnpm@12', 'pack', '--out', tarball], path);
  await succeed('tar', ['-xzf', tarball, '-C', unpackedTo]);
  const unpacked = join(unpackedTo, 'package');
  const files = globSync('**/*', { cwd: unpacked, withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name).slice(unpacked.length + 1))
    .map((file) => file.replaceAll('\\', '/'))
    .toSorted();
  const manifest = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8')) as Manifest;
  return { name, tarball, unpacked, manifest, files };
}

/** Runs a command and throws with its output if it fails. */
export async function succeed(file: string, args: readonly string[], cwd?: string): Promise<string> {
  const { ok, output } = await run(cwd === undefined ? { file, args } : { file, args, cwd });
  if (!ok) throw new Error(`"${file} ${args.join(' ')}" failed\n${output}`);
  return output;
}
