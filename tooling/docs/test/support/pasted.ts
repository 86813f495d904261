import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '@mcp-session-tooling/workspace/packages';
import { onTestFinished } from 'vitest';
import { type Block, blocksOf } from '../../src/documents.ts';

/** The TypeScript blocks of a page, or of the section with a heading of the second level. */
export function blocksOfPage(path: string, section?: string): Block[] {
  const page = readFileSync(join(root, path), 'utf8');
  const text = section === undefined ? page : page.split(/^## /m).find((each) => each.startsWith(`${section}\n`));
  return blocksOf({ path, text: text ?? '' }).filter(({ language }) => language === 'ts');
}

/** The code of a page's block that contains a text. */
export function codeWith(path: string, text: string): string {
  const block = blocksOfPage(path).find(({ code }) => code.includes(text));
  if (block === undefined) throw new Error(`${path} has no block with ${text}`);
  return block.code;
}

/** Code with each text replaced. Each must be there, so that a change of the page is noticed. */
export function withReplaced(code: string, texts: Readonly<Record<string, string>>): string {
  let result = code;
  for (const [from, to] of Object.entries(texts)) {
    if (!result.includes(from)) throw new Error(`The block has no ${from}`);
    result = result.replaceAll(from, () => to);
  }
  return result;
}

/**
 * Writes TypeScript files to a folder from which the packages are found, and returns it. Node.js
 * runs no TypeScript below a folder `node_modules`, so it lies beside it.
 */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const parent = fileURLToPath(new URL('../../.recipes/', import.meta.url));
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(parent);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, code] of Object.entries(files)) writeFileSync(join(folder, name), code);
  return folder;
}
