import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '@mcp-session-tooling/workspace/packages';
import { parseSync } from 'vite';
import { spansOf, type Document } from './documents.ts';

/** The known names, with which the names in documents are compared. */
export interface KnownNames {
  /** Names in the code of the workspace. */
  readonly ours: ReadonlySet<string>;
  /** Names of other software. */
  readonly foreign: readonly string[];
  /** Ids of the conformance kit's promises. */
  readonly requirements: readonly string[];
}

/**
 * Every identifier and every word in a string in the code of the workspace. Comments do not count.
 */
export function sourceNames(): Set<string> {
  const names = new Set<string>();
  for (const path of globSync('{examples,packages,tooling}/*/src/**/*.ts', { cwd: root })) {
    // The list of foreign names is a source as well.
    if (path.startsWith('tooling/docs/')) continue;
    const { program, errors } = parseSync(path, readFileSync(join(root, path), 'utf8'));
    if (errors.length > 0) throw new SyntaxError(`${path}: ${errors[0]?.message}`);
    collect(program, names);
  }
  return names;
}

function collect(node: unknown, names: Set<string>): void {
  if (typeof node !== 'object' || node === null) return;
  const { type, name, value } = node as { type?: unknown; name?: unknown; value?: unknown };
  if (type === 'Identifier' && typeof name === 'string') names.add(name);
  if (type === 'Literal' && typeof value === 'string') names.add(value);
  for (const child of Object.values(node)) collect(child, names);
}

/** Names in the code spans of a document that look like code but do not exist in it. */
export function unknownNames(document: Document, known: KnownNames): string[] {
  return spansOf(document).filter((span) => !isKnown(span, known));
}

function isKnown(span: string, { ours, foreign, requirements }: KnownNames): boolean {
  // Some names with dots are strings of the code, such as those of metrics.
  if (ours.has(span) || foreign.includes(span) || requirements.includes(span)) return true;
  if (/\.(?:db|js|json|lock|md|mjs|sql|svg|ts|tsx|ya?ml)$/.test(span)) return true;
  const areas = new Set(requirements.map((id) => id.split('.')[0]));
  if (/^[a-z]+(?:\.[a-z-]+){2,}$/.test(span) && areas.has(span.split('.')[0])) return false;
  if (!/^[\p{L}_$][\w$]*(?:\.[\p{L}_$][\w$]*)*(?:\(.*\))?$/u.test(span)) return true;
  const [first = '', ...others] = span.replace(/\(.*$/, '').split('.');
  const looksLikeCode = others.length > 0 || span.endsWith(')') || /[a-z][A-Z]|^[A-Z][A-Z0-9]*_[A-Z0-9_]+$/.test(span);
  if (!looksLikeCode || first in globalThis || foreign.includes(first)) return true;
  return [first, ...others].every((name) => ours.has(name));
}
