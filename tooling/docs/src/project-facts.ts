import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '@mcp-session-tooling/workspace/packages';

/** Every code of `SessionErrorCode`, as core's source lists them. */
export function errorCodes(): string[] {
  const source = readFileSync(join(root, 'packages/core/src/lib/errors.ts'), 'utf8');
  const union = /export type SessionErrorCode =(?<codes>[^;]*);/.exec(source)?.groups?.['codes'];
  if (union === undefined) throw new Error('No type SessionErrorCode in the source of core');
  return [...union.matchAll(/'([A-Z_]+)'/g)].map((match) => match[1] ?? '');
}

/** The headings of a document that are one code span, without its marks. */
export function headingNames(text: string): string[] {
  return [...text.matchAll(/^#{2,4} `([^`]+)`$/gm)].map((match) => match[1] ?? '');
}

/** The first cells of a document's tables that are one code span, without its marks. */
export function rowNames(text: string): string[] {
  return [...text.matchAll(/^\| `([^`]+)` +\|/gm)].map((match) => match[1] ?? '');
}
