import { globSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildCommand, run } from '@mcp-session-tooling/workspace/command';
import { workspacePackages, type Manifest, type WorkspacePackage } from '@mcp-session-tooling/workspace/packages';

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

/** The packages that users install. */
export const published: readonly WorkspacePackage[] = workspacePackages().filter(
  ({ manifest }) => manifest.private !== true,
);

/**
 * Builds the published packages, from the cache where nothing has changed, packs all with one
 * command, since npx alone takes seconds to start, and unpacks each beside its tarball.
 */
export async function packAll(folder: string): Promise<Packed[]> {
  await succeed(...buildCommand);
  const filters = published.map((each) => `--filter=./${each.folder}`);
  await succeed('npx', ['--yes', 'pnpm@12', ...filters, 'pack', '--out', join(folder, '%s.tgz')]);
  return Promise.all(published.map((each) => unpack(each, folder)));
}

async function unpack({ manifest: { name } }: WorkspacePackage, folder: string): Promise<Packed> {
  const tarball = join(folder, `${name.replaceAll(/[@/]+/g, '-').slice(1)}.tgz`);
  const unpackedTo = join(folder, 'unpacked', name);
  mkdirSync(unpackedTo, { recursive: true });
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
