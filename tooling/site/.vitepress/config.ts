import { defineConfig, type DefaultTheme, type UserConfig } from 'vitepress';
import { slugOf } from '@mcp-session-tooling/docs/documents';
import { home, pageOf } from '@mcp-session-tooling/workspace/metadata';
import { base, pages } from '../src/pages.ts';

const all = pages();

/** The pages whose files begin with a folder, by title. */
function under(folder: string, label = (title: string) => title): DefaultTheme.SidebarItem[] {
  return all
    .filter(({ file }) => file.startsWith(`${folder}/`) && !file.endsWith('/index.md'))
    .map(({ file, title }) => ({ text: label(title), link: `/${file}` }));
}

function of(...files: readonly string[]): DefaultTheme.SidebarItem[] {
  return files.map((file) => {
    const page = all.find((each) => each.file === file);
    if (page === undefined) throw new Error(`The site has no page ${file}`);
    return { text: page.title, link: `/${file}` };
  });
}

const config: UserConfig<DefaultTheme.Config> = defineConfig({
  title: '@mcp-session',
  description: 'Durable sessions for MCP servers in TypeScript',
  base,
  srcDir: '.pages',
  head: [['link', { rel: 'stylesheet', href: `${base}style.css` }]],
  cleanUrls: false,
  lastUpdated: false,
  metaChunk: true,
  // `links.ts` looks at all links, those to the API reference included.
  ignoreDeadLinks: true,
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark' },
    anchor: { slugify: slugOf },
    config: (md) => {
      const fence = md.renderer.rules.fence;
      md.renderer.rules.fence = (tokens, index, ...rest) => {
        const token = tokens[index];
        if (token?.info.trim() !== 'mermaid') return fence?.(tokens, index, ...rest) ?? '';
        return `<pre class="diagram" v-pre>${md.utils.escapeHtml(token.content)}</pre>`;
      };
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Getting started', link: '/getting-started.md' },
      { text: 'Documents', link: '/documents.md' },
      { text: 'API', link: '/api/index.html', target: '_self' },
      { text: 'Repository', link: pageOf(home()) },
    ],
    sidebar: [
      { text: 'Getting started', items: of('getting-started.md', 'concepts.md', 'stories.md', 'glossary.md') },
      { text: 'Guides', items: under('guides') },
      {
        text: 'Operating',
        items: [...of('operating/index.md'), ...under('operating'), ...of('benchmarks.md', 'security.md')],
      },
      { text: 'Packages', items: under('packages') },
      { text: 'Reference', items: [...under('reference'), ...of('http-rules.md')] },
      { text: 'Examples', collapsed: true, items: under('examples') },
      { text: 'Internals', collapsed: true, items: [...under('internals'), ...of('style.md', 'contributing.md')] },
      { text: 'Decisions', collapsed: true, items: [...of('decisions/index.md'), ...under('decisions')] },
    ],
  },
});

export default config;
