import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'vite';
import { root } from './packages.ts';

/** Comment lines are at most this long, indentation included. Code has the formatter's limit. */
const WIDTH = 100;

/**
 * A part of a comment that is wrapped as a whole: the prefix of its first line, the prefix of the
 * others, and its words.
 */
interface Paragraph {
  readonly first: string;
  readonly others: string;
  readonly lines: string[];
}

/**
 * The source files whose comments are too wide, as paths from the root.
 *
 * @param write Whether to wrap them.
 * @param folders Paths from the root. Default: the whole workspace.
 */
export function wrapFiles(write: boolean, folders: readonly string[] = []): string[] {
  return globSync(['{packages,tooling,examples}/*/*.ts', '{packages,tooling,examples}/*/{src,test}/**/*.ts'], {
    cwd: root,
  })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !path.includes('/node_modules/'))
    .filter((path) => folders.length === 0 || isIn(folders, path))
    .toSorted()
    .filter((path) => {
      const code = readFileSync(join(root, path), 'utf8');
      const wrapped = wrapComments(code);
      if (write && wrapped !== code) writeFileSync(join(root, path), wrapped);
      return wrapped !== code;
    });
}

function isIn(folders: readonly string[], path: string): boolean {
  return folders.some((folder) => path.startsWith(folder));
}

/**
 * Wraps each comment paragraph that is too wide at 100 columns. Everything else stays as it is:
 * code blocks, tables, lines with their own indentation, and comments after code.
 */
export function wrapComments(code: string): string {
  const { comments, errors } = parseSync('file.ts', code);
  if (errors.length > 0) throw new SyntaxError(errors[0]?.message);
  const lines = code.split('\n');
  const lineOf = (offset: number): number => code.slice(0, offset).split('\n').length - 1;
  const blocks = comments
    .map(({ start, end }) => ({ from: lineOf(start), to: lineOf(end) }))
    .filter(({ from }) => /^\s*\/[/*]/.test(lines[from] ?? ''));
  const inside = new Set<number>();
  for (const { from, to } of blocks) {
    for (let line = from; line <= to; line++) inside.add(line);
  }

  const result: string[] = [];
  for (let at = 0; at < lines.length;) {
    const run = runAt(lines, inside, at);
    result.push(...(run.length > 0 ? wrapRun(run) : [lines[at] ?? '']));
    at += Math.max(run.length, 1);
  }
  return result.join('\n');
}

// Lines that belong together: one block comment, or line comments of one indentation.
function runAt(lines: readonly string[], inside: ReadonlySet<number>, start: number): string[] {
  if (!inside.has(start)) return [];
  const slashes = /^\s*\/\/ /.exec(lines[start] ?? '')?.[0];
  let end = start + 1;
  if (slashes === undefined) {
    while (inside.has(end) && !lines[end - 1]?.includes('*/')) end++;
  } else {
    while (inside.has(end) && lines[end]?.startsWith(slashes)) end++;
  }
  return lines.slice(start, end);
}

function wrapRun(run: readonly string[]): string[] {
  if (run.every((line) => line.length <= WIDTH)) return [...run];
  const [only = ''] = run;
  const single = /^(?<indent>\s*)\/\*\* (?<text>.*) \*\/$/.exec(only)?.groups;
  if (run.length === 1 && single) {
    const { indent = '', text = '' } = single;
    return [`${indent}/**`, ...wrapRun([`${indent} * ${text}`]), `${indent} */`];
  }
  let fenced = false;
  const paragraphs: Paragraph[] = [];
  for (const line of run) {
    const [prefix = ''] = /^\s*(?:\/\/|\*(?!\/)) ?/.exec(line) ?? [];
    const text = line.slice(prefix.length);
    const fence = text.startsWith('```');
    const last = paragraphs.at(-1);
    const inList = last !== undefined && last.others.length > prefix.length;
    const laidOut = /^ *\|/.test(text) || (text.startsWith('  ') && !inList);
    if (prefix === '' || fenced || fence || laidOut || /^(?:$|#|oxlint-|@ts-)/.test(text)) {
      paragraphs.push({ first: line, others: '', lines: [] });
    } else if (!last || last.lines.length === 0 || /^(?:@\w|[-*] |\d+\. )/.test(text)) {
      const hang = /^(?:[-*] |\d+\. )/.exec(text)?.[0].length ?? 0;
      paragraphs.push({ first: prefix, others: prefix + ' '.repeat(hang), lines: [text] });
    } else {
      last.lines.push(text.trimStart());
    }
    if (fence) fenced = !fenced;
  }
  return rewrite(run, paragraphs);
}

function rewrite(run: readonly string[], paragraphs: readonly Paragraph[]): string[] {
  let at = 0;
  return paragraphs.flatMap((paragraph) => {
    const before = run.slice(at, at + Math.max(paragraph.lines.length, 1));
    at += before.length;
    const fits = before.every((line) => line.length <= WIDTH);
    return fits || paragraph.lines.length === 0 ? before : wrapParagraph(paragraph);
  });
}

function wrapParagraph({ first, others, lines }: Paragraph): string[] {
  const result: string[] = [];
  let line = first;
  // Code spans and links are not broken.
  for (const word of lines.join(' ').match(/(?:[^\s`]|`[^`]*`)+/g) ?? []) {
    const empty = line === first || line === others;
    if (!empty && line.length + 1 + word.length > WIDTH) {
      result.push(line.trimEnd());
      line = `${others}${word}`;
    } else {
      line += empty && line.length > 0 ? word : ` ${word}`;
    }
  }
  return [...result, line];
}
