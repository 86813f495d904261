import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { address, type Page } from './pages.ts';

/**
 * Writes `llms.txt`, `llms-full.txt` and the Markdown of each page beside its HTML (llmstxt.org).
 */
export function writeForModels(folder: string, all: readonly Page[]): void {
  for (const { file, text } of all) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), withAddresses(text));
  }
  const index = all.find(({ file }) => file === 'documents.md')?.text ?? '';
  const summary =
    all
      .find(({ file }) => file === 'index.md')
      ?.text.split('\n\n')[1]
      ?.replaceAll('\n', ' ') ?? '';
  const sections = withAddresses(index.slice(index.indexOf('## ')));
  writeFileSync(join(folder, 'llms.txt'), `# @mcp-session\n\n> ${summary}\n\n${sections}`);
  const whole = all.map(({ file, text }) => `<!-- ${address}${file} -->\n\n${withAddresses(text)}`);
  writeFileSync(join(folder, 'llms-full.txt'), whole.join('\n\n'));
}

/** Links from the root of the site become addresses. */
function withAddresses(text: string): string {
  return text.replaceAll(/\]\(\/(?=[^)\s]+\))/g, `](${address}`);
}
