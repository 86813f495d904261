import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { entries } from '../src/api.ts';
import { buildSite, site } from '../src/build.ts';
import { siteProblems } from '../src/links.ts';
import { base, pages } from '../src/pages.ts';

const read = (file: string): string => readFileSync(join(site, file), 'utf8');

// A build of about 15 seconds of processor time, and many more on a machine that is busy.
beforeAll(buildSite, 400_000);

it('every link and anchor of the built site is there, and no page loads anything from elsewhere', () => {
  expect(siteProblems(site, base)).toEqual([]);
});

it('every page is built, beside its Markdown', () => {
  const missing = pages().flatMap(({ file }) =>
    [file, file.replace(/\.md$/, '.html')].filter((each) => !existsSync(join(site, each))),
  );
  expect(missing).toEqual([]);
});

it('the API reference has every entry that a user can import', () => {
  const modules = read('api/index.html') + read('api/modules/_mcp-session_http_v2.html');
  expect([...entries().values()].filter((name) => !modules.includes(name))).toEqual([]);
});

it('the search has its index, and diagrams have Mermaid', () => {
  expect(globSync('assets/chunks/@localSearchIndexroot.*.js', { cwd: site })).toHaveLength(1);
  expect(read('stories.html').match(/class="diagram"/g)).toHaveLength(4);
  expect(existsSync(join(site, 'mermaid/mermaid.esm.min.mjs'))).toBe(true);
});

it('llms.txt begins as llmstxt.org says, and llms-full.txt has every document', () => {
  expect(read('llms.txt')).toMatch(/^# @mcp-session\n\n> \S.+\n\n## /);
  expect(pages().filter(({ title }) => !read('llms-full.txt').includes(title.split('`')[0] ?? ''))).toEqual([]);
});

it('a link to nothing, an unknown anchor and a script from elsewhere are found', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-site-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(
    join(folder, 'a.html'),
    '<h1 id="x"></h1><a href="/s/b.html">b</a><a href="#y">y</a><a href="#x">x</a>',
  );
  writeFileSync(join(folder, 'c.html'), '<script src="https://cdn.example/x.js"></script><a href="a.html#x">a</a>');

  expect(siteProblems(folder, '/s/').toSorted()).toEqual([
    'a.html: #y',
    'a.html: /s/b.html',
    'c.html loads https://cdn.example/x.js',
  ]);
});
