import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './packages.ts';

/** Phrases that docs/style.md does without, and what to write instead. */
const PHRASES: readonly (readonly [phrase: RegExp, instead: string])[] = [
  [/\bwho(?:m)?ever\b/i, 'anyone who'],
  [/\bin place of\b/i, 'instead of'],
  [/\bat the most\b/i, 'at most'],
  [/\bfor ever\b/i, 'forever'],
  [/\bwould else\b/i, 'would otherwise'],
  [/\bcomes? without\b/i, 'has no'],
  [/\b(?:hears?|heard) of\b/i, 'learns of'],
  [/\b(?:is|are|was|were|be|been) told\b(?! (?:to|apart|from)\b)/i, 'gets, receives, is called with'],
];

/** Where the phrases are quoted, or were written by others. */
const EXCEPTIONS = new Set([
  'docs/style.md',
  'docs/benchmarks.md',
  'tooling/workspace/src/prose.ts',
  'tooling/workspace/test/prose.test.ts',
]);

/** Every phrase of a text that has a plainer one, with its line. */
export function phrasesIn(text: string): string[] {
  return text.split('\n').flatMap((line, index) =>
    PHRASES.flatMap(([phrase, instead]) => {
      const found = phrase.exec(line)?.[0];
      return found === undefined ? [] : [`${index + 1}: "${found}"; write "${instead}"`];
    }),
  );
}

/** The same for every source and document of the workspace, with its file. */
export function phrasesOfWorkspace(): string[] {
  return globSync(['*.md', '{docs,.changeset}/**/*.md', '{packages,tooling,examples}/*/{*.md,{src,test}/**/*.ts}'], {
    cwd: root,
  })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !EXCEPTIONS.has(path) && !path.includes('/node_modules/') && !path.endsWith('CHANGELOG.md'))
    .toSorted()
    .flatMap((path) => phrasesIn(readFileSync(join(root, path), 'utf8')).map((found) => `${path}:${found}`));
}
