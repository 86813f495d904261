import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vitepress';
import { writeApi } from './api.ts';
import { writeForModels } from './llms.ts';
import { pages, writePages } from './pages.ts';

const folder = fileURLToPath(new URL('../', import.meta.url));

/** Where the built site is. */
export const site: string = join(folder, 'dist');

/** Builds the site: the documents, the API reference and the files for language models. */
export async function buildSite(): Promise<void> {
  const work = join(folder, '.pages');
  for (const each of [work, site]) rmSync(each, { recursive: true, force: true });
  const all = pages();
  writePages(work, all);
  cpSync(join(folder, '.vitepress', 'theme', 'style.css'), join(work, 'public', 'style.css'));
  copyMermaid(join(work, 'public', 'mermaid'));
  await build(folder, { outDir: site });
  await writeApi(join(site, 'api'));
  writeForModels(site, all);
}

/** Mermaid as its package ships it: a page with a diagram loads the parts that it needs. */
function copyMermaid(target: string): void {
  const source = dirname(createRequire(import.meta.url).resolve('mermaid'));
  const entry = 'mermaid.esm.min.mjs';
  mkdirSync(target, { recursive: true });
  cpSync(join(source, entry), join(target, entry));
  const chunks = join('chunks', 'mermaid.esm.min');
  cpSync(join(source, chunks), join(target, chunks), { recursive: true, filter: (file) => !file.endsWith('.map') });
}
