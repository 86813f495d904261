import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { home, pageOf } from '@mcp-session-tooling/workspace/metadata';
import { root } from '@mcp-session-tooling/workspace/packages';

/** A fenced code block of a document. */
export interface Block {
  /** The document's path from the root. */
  readonly document: string;
  /** The line of its opening fence, from 1. */
  readonly line: number;
  /** The first word after the fence. */
  readonly language: string;
  /** The other words after the fence. */
  readonly flags: readonly string[];
  readonly code: string;
  /**
   * Code that comes before the block when it is checked: the hidden context, and the blocks that it
   * continues.
   */
  readonly prelude: string;
  /** The author's reason why nothing checks the block; `undefined`: it must be checked. */
  readonly unchecked: string | undefined;
}

/** A Markdown document of the project. */
export interface Document {
  /** Path from the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** Every document, except change logs, which are generated. */
export function documents(): Document[] {
  return ['*.md', '.changeset/*.md', 'docs/**/*.md', 'packages/*/*.md', 'examples/*/*.md', 'tooling/*/*.md']
    .flatMap((pattern) => globSync(pattern, { cwd: root }))
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !path.endsWith('CHANGELOG.md'))
    .toSorted()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/**
 * The code blocks of a document. A hidden HTML comment right above a block can provide what its
 * code needs: `<!-- context ... -->` contains code that goes before it, and `<!-- continues -->`
 * uses the previous TypeScript block, with everything that that one needs.
 * `<!-- unchecked: reason -->` says why nothing can check it.
 */
export function blocksOf({ path, text }: Document): Block[] {
  const pattern =
    /(?:<!-- (?<kind>context|continues|unchecked:)(?<hidden>[\s\S]*?)-->\s*)?^(?<indent> *)(?<fence>`{3,})(?<info>[^\n`]*)\n(?<code>[\s\S]*?)^ *\k<fence>$/gm;
  const blocks: Block[] = [];
  for (const match of text.matchAll(pattern)) {
    const { kind, hidden = '', indent = '', info = '', code = '' } = match.groups ?? {};
    const [language = '', ...flags] = info.trim().split(/\s+/);
    const before = blocks.findLast((block) => block.language === 'ts');
    const continued = kind === 'continues' && before ? `${before.prelude}${before.code}` : '';
    blocks.push({
      document: path,
      line: text.slice(0, text.indexOf('```', match.index)).split('\n').length,
      language,
      flags,
      code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      prelude: kind === 'context' ? `${hidden.trim()}\n` : continued,
      unchecked: kind === 'unchecked:' ? hidden.trim() : undefined,
    });
  }
  return blocks;
}

/** A document without its code blocks and its hidden comments. */
function proseOf({ text }: Document): string {
  return text.replaceAll(/^( *)(`{3,})[\s\S]*?^ *\2$/gm, '').replaceAll(/<!--[\s\S]*?-->/g, '');
}

/** The code spans of a document's prose, without their marks. */
export function spansOf(document: Document): string[] {
  return [...proseOf(document).matchAll(/`(?<span>[^`\n]+)`/g)].map((match) => match.groups?.['span'] ?? '');
}

/** Every broken link of a document into the project, as it is written. */
export function brokenLinks(document: Document): string[] {
  return linksOf(document).filter((target) => !isThere(document.path, target));
}

/** The documents that a document links to, as paths from the root. */
export function linkedDocuments(document: Document): string[] {
  return linksOf(document)
    .map((target) => posix.join(document.path, '..', decodeURI(target).split('#')[0] ?? ''))
    .filter((path) => path.endsWith('.md'));
}

// Absolute links into the repository are checked like relative ones.
const ours = new RegExp(`^${pageOf(home()).replaceAll('.', '\\.')}/(?:blob|tree)/main/`);

function linksOf(document: Document): string[] {
  const prose = proseOf(document).replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\((?<target>[^)\s]+)\)/g)]
    .map((match) => match.groups?.['target'] ?? '')
    .map((target) =>
      ours.test(target) ? posix.relative(posix.dirname(document.path), target.replace(ours, '')) : target,
    )
    .filter((target) => !/^[a-z]+:/.test(target));
}

function isThere(path: string, target: string): boolean {
  const [file = '', anchor] = decodeURI(target).split('#');
  const full = file === '' ? join(root, path) : join(root, path, '..', file);
  if (!existsSync(full)) return false;
  return anchor === undefined || !full.endsWith('.md') || anchorsOf(readFileSync(full, 'utf8')).includes(anchor);
}

// The anchor of a heading, as common renderers build it: lower case, no punctuation, hyphens for
// spaces.
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#{1,6} (?<heading>.*)$/gm)].map((match) => slugOf(match.groups?.['heading'] ?? ''));
}

/** The anchor of a heading. */
export function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');
}
