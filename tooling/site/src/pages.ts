import { cpSync, existsSync, globSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { documents, type Document } from '@mcp-session-tooling/docs/documents';
import { home, pageOf } from '@mcp-session-tooling/workspace/metadata';
import { root } from '@mcp-session-tooling/workspace/packages';

/** A page of the site. */
export interface Page {
  /** The document that it shows, as a path from the root. */
  readonly document: string;
  /** Its Markdown file in the site, with forward slashes. */
  readonly file: string;
  readonly title: string;
  /** The document with links as the site needs them. */
  readonly text: string;
}

const repository = pageOf(home());

/** The path under which GitHub Pages serves the site, with slashes around it. */
export const base: string = `/${posix.basename(repository)}/`;

/** The address of the site, with a slash at the end. */
export const address: string = repository.replace(
  /^https:\/\/github\.com\/(?<owner>[^/]+)\/.*/,
  `https://$<owner>.github.io${base}`,
);

/** The pages of the site: all documents but those of tools and of changesets. */
export function pages(): Page[] {
  const shown = documents().flatMap((document) => {
    const file = fileOf(document.path);
    return file === undefined ? [] : [{ document, file }];
  });
  const places = new Map(shown.map(({ document, file }) => [document.path, file]));
  return shown.map(({ document, file }) => ({
    document: document.path,
    file,
    title: titleOf(document),
    text: textOf(document, places),
  }));
}

/** Writes the pages and the images of the documents into a folder. */
export function writePages(folder: string, all: readonly Page[]): void {
  for (const { file, text } of all) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  for (const image of globSync(['docs/**/*.svg', 'packages/*/images/*'], { cwd: root })) {
    cpSync(join(root, image), join(folder, 'public', image.replace(/^docs\//, '')));
  }
}

function fileOf(path: string): string | undefined {
  if (path === 'README.md') return 'index.md';
  if (path === 'docs/README.md') return 'documents.md';
  if (path.startsWith('docs/')) return path.slice('docs/'.length).replace(/README\.md$/, 'index.md');
  const [, group, name] = /^(?<group>packages|examples)\/(?<name>[\w-]+)\/README\.md$/.exec(path) ?? [];
  if (group !== undefined) return `${group}/${name}.md`;
  return ['CONTRIBUTING.md', 'SECURITY.md'].includes(path) ? path.toLowerCase() : undefined;
}

function titleOf({ path, text }: Document): string {
  return /^# (?<title>.+)$/m.exec(text)?.groups?.['title']?.replaceAll('`', '') ?? path;
}

function textOf({ path, text }: Document, places: ReadonlyMap<string, string>): string {
  const parts = text
    .replaceAll(/^<!--[\s\S]*?-->\n*/gm, '')
    // Words after the language are for the checks of the documents.
    .replaceAll(/^( *`{3,})(\w+) .*$/gm, '$1$2')
    .split(/(^ *`{3,}[\s\S]*?^ *`{3,}$|`[^`\n]*`)/m);
  const prose = parts.map((part, index) =>
    index % 2 === 1
      ? part
      : part
          .replaceAll(/\]\((?<target>[^)\s]+)\)/g, (_, target: string) => `](${linkOf(path, target, places)})`)
          .replaceAll(
            / (?<name>src|srcset)="(?<target>images\/[^"]+)"/g,
            (_, name: string, target: string) => ` ${name}="/${posix.join(posix.dirname(path), target)}"`,
          ),
  );
  return prose.join('');
}

/** A link as the site needs it: to a page, to an image, or to the repository. */
function linkOf(path: string, given: string, places: ReadonlyMap<string, string>): string {
  const ours = new RegExp(`^${repository}/(?:blob|tree)/main/`);
  if (/^[a-z]+:/.test(given) && !ours.test(given)) return given;
  const [target = '', anchor] = given.replace(ours, '').split('#');
  const full = ours.test(given) ? target : posix.join(posix.dirname(path), target);
  const end = anchor === undefined ? '' : `#${anchor}`;
  if (target === '') return end;
  const page = places.get(full) ?? places.get(posix.join(full, 'README.md'));
  if (page !== undefined) return `/${page}${end}`;
  if (/^docs\/.*\.svg$/.test(full)) return `/${full.slice('docs/'.length)}`;
  return `${repository}/${existsSync(join(root, full)) && /\.\w+$/.test(full) ? 'blob' : 'tree'}/main/${full}${end}`;
}
