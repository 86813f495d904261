import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { loadPage } from '../src/lib/page.ts';

it('the page is small: at most 30 KiB of script and 6 KiB of style, compressed', async () => {
  const files = await loadPage();
  const kib = (end: string) => {
    const texts = Object.entries(files).flatMap(([name, text]) => (name.endsWith(end) ? [text] : []));
    return gzipSync(texts.join('')).length / 1_024;
  };

  expect(Object.keys(files)).toHaveLength(4);
  expect(kib('.js')).toBeLessThan(30);
  expect(kib('.css')).toBeLessThan(6);
});
