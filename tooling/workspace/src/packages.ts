import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The fields of a package.json that the workspace's tools read. */
export interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** A package of this workspace. */
export interface WorkspacePackage {
  /** Path from the root with forward slashes, such as `packages/core`. */
  readonly folder: string;
  /** Absolute path of the folder. */
  readonly path: string;
  readonly manifest: Manifest;
}

/** Absolute path of the workspace's root. */
export const root: string = fileURLToPath(new URL('../../../', import.meta.url));

/** Every package of the workspace but the root itself, by folder. */
export function workspacePackages(): WorkspacePackage[] {
  return ['packages', 'tooling', 'examples'].flatMap((group) =>
    readdirSync(join(root, group))
      .toSorted()
      .map((name) => ({ folder: `${group}/${name}`, path: join(root, group, name) }))
      .filter(({ path }) => existsSync(join(path, 'package.json')))
      .map((found) => Object.assign(found, { manifest: readManifest(found.path) })),
  );
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Manifest;
}
