import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, workspacePackages } from './packages.ts';

/** Where the project lives: the fields of the root's package.json that say so. */
export interface Home {
  readonly repository: { readonly type: string; readonly url: string };
}

/** Stands for the owner of the repository until there is one. */
const PLACEHOLDER = 'OWNER';

/** Where the project lives, as the root's package.json says. */
export function home(): Home {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Home;
}

/** The page of the repository, without a slash at the end. */
export function pageOf({ repository }: Home): string {
  return repository.url.replace(/^git\+/, '').replace(/\.git$/, '');
}

/** The fields that npm wants in the manifest of a published package. */
export function metadataOf(folder: string, from: Home): Readonly<Record<string, unknown>> {
  const page = pageOf(from);
  return {
    homepage: `${page}/tree/main/${folder}#readme`,
    bugs: `${page}/issues`,
    repository: { type: from.repository.type, url: from.repository.url, directory: folder },
  };
}

/** Why the packages cannot be published: a sentence for each reason; empty when they can. */
export function releaseProblems(from: Home): string[] {
  const { url } = from.repository;
  const wrong = !/^git\+https:\/\/[^/]+\/[^/]+\/[^/]+\.git$/.test(url);
  return [
    ...(wrong ? [`"${url}" is not the URL of a repository, such as git+https://github.com/owner/name.git`] : []),
    ...(url.includes(`/${PLACEHOLDER}/`)
      ? [`The repository's owner is not known yet: replace ${PLACEHOLDER} in package.json and run "pnpm metadata"`]
      : []),
  ];
}

/**
 * Writes the repository's address into the manifests and the READMEs of all published packages.
 *
 * @returns The files that had another one, as paths from the root.
 */
export function writeMetadata(write: boolean): string[] {
  const from = home();
  const page = pageOf(from);
  const updated = workspacePackages()
    .filter(({ manifest }) => manifest.private !== true)
    .flatMap(({ folder }) => [
      update(`${folder}/package.json`, write, (text) => manifestWith(text, metadataOf(folder, from))),
      update(`${folder}/README.md`, write, (text) => withPage(text, page)),
    ]);
  return updated.filter((file) => file !== undefined);
}

// After `author`, where the manifests have it.
function manifestWith(text: string, fields: Readonly<Record<string, unknown>>): string {
  const manifest = Object.entries(JSON.parse(text) as Record<string, unknown>);
  const rest = manifest.filter(([name]) => !(name in fields));
  const at = rest.findIndex(([name]) => name === 'author') + 1;
  const entries = [...rest.slice(0, at), ...Object.entries(fields), ...rest.slice(at)];
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
}

/** A document with its links into the repository pointing to this page. */
export function withPage(text: string, page: string): string {
  return text.replaceAll(/https:\/\/[\w.-]+\/[\w.-]+\/[\w.-]+(?=\/(?:blob|tree)\/main\/)/g, page);
}

function update(file: string, write: boolean, change: (text: string) => string): string | undefined {
  const path = join(root, file);
  const text = readFileSync(path, 'utf8');
  const changed = change(text);
  if (changed === text) return undefined;
  if (write) writeFileSync(path, changed);
  return file;
}
