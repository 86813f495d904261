import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '@mcp-session-tooling/workspace/packages';
import { parseSync } from 'vite';

/** The types that list codes, and where they are. */
const UNIONS = {
  SessionErrorCode: 'packages/core/src/lib/errors.ts',
  TaskErrorCode: 'packages/tasks/src/lib/task-error.ts',
};

/** Every code of `SessionErrorCode`, as core's source lists them. */
export function errorCodes(): string[] {
  return Object.entries(UNIONS).flatMap(([name, path]) => {
    const source = readFileSync(join(root, path), 'utf8');
    const union = new RegExp(`export type ${name} =(?<codes>[^;]*);`).exec(source)?.groups?.['codes'];
    if (union === undefined) throw new Error(`No type ${name} in ${path}`);
    return [...union.matchAll(/'([A-Z_]+)'/g)].map((match) => match[1] ?? '');
  });
}

/**
 * Every option that a user of a package can set: the members of the interfaces `…Options` that its
 * entries export.
 */
export function optionNames(folder: string): string[] {
  const entries = globSync(`${folder}/src/*.ts`, { cwd: root }).map((path) => readFileSync(join(root, path), 'utf8'));
  const names = globSync(`${folder}/src/**/*.ts`, { cwd: root }).flatMap((path) =>
    optionsIn(readFileSync(join(root, path), 'utf8'), (name) => entries.some((text) => text.includes(name))),
  );
  return [...new Set(names)].toSorted();
}

/** The members of a source's exported interfaces `…Options` whose names are wanted. */
export function optionsIn(source: string, wanted: (name: string) => boolean): string[] {
  return parseSync('file.ts', source)
    .program.body.flatMap((node) => (node.type === 'ExportNamedDeclaration' ? [node.declaration] : []))
    .filter((declaration) => declaration?.type === 'TSInterfaceDeclaration')
    .filter(({ id }) => id.name.endsWith('Options') && wanted(id.name))
    .flatMap(({ body }) => body.body)
    .flatMap((member) => ('key' in member && member.key.type === 'Identifier' ? [member.key.name] : []));
}

/** The headings of a document that are one code span, without its marks. */
export function headingNames(text: string): string[] {
  return [...text.matchAll(/^#{2,4} `([^`]+)`$/gm)].map((match) => match[1] ?? '');
}

/** The first cells of a document's tables that are one code span, without its marks. */
export function rowNames(text: string): string[] {
  return [...text.matchAll(/^\| `([^`]+)` +\|/gm)].map((match) => match[1] ?? '');
}

/**
 * The numbers of the rules that the titles of a package's tests cite, as in "rules 13 and 16: …".
 *
 * @param word What is before the numbers, without its plural.
 */
export function citedRules(folder: string, word: string): number[] {
  const title = new RegExp(`['"\`]${word}s? (\\d+(?: and \\d+)?):`, 'g');
  const titles = globSync(`${folder}/test/**/*.test.ts`, { cwd: root }).flatMap((path) =>
    [...readFileSync(join(root, path), 'utf8').matchAll(title)].map(([, list = '']) => list),
  );
  return [...new Set(titles.flatMap((list) => list.split(' and ').map(Number)))].toSorted((a, b) => a - b);
}

/** The numbers in the first column of a document's tables. */
export function ruleNumbers(text: string): number[] {
  return [...text.matchAll(/^\| (\d+) +\|/gm)].map(([, number]) => Number(number));
}

/** The commands of `mcp-session` and all of their options, as its program declares them. */
export function cliFacts(): { readonly commands: readonly string[]; readonly options: readonly string[] } {
  const files = globSync('packages/cli/src/lib/**/*.ts', { cwd: root });
  const source = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const all = (pattern: RegExp): string[] => [...source.matchAll(pattern)].map(([, name = '']) => name);
  return { commands: all(/\.command\('([\w-]+)/g), options: all(/'(--[\w-]+)[ ']/g) };
}
