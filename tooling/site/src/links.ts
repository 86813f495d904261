import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

/**
 * Every link of a built site that leads nowhere, and everything that a page loads from elsewhere.
 */
export function siteProblems(folder: string, base: string): string[] {
  const files = globSync('**/*.html', { cwd: folder }).map((file) => file.replaceAll('\\', '/'));
  const texts = new Map(files.map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
  const anchors = new Map<string, ReadonlySet<string>>();
  const anchorsOf = (file: string): ReadonlySet<string> => {
    const known =
      anchors.get(file) ??
      new Set([...(texts.get(file) ?? '').matchAll(/\s(?:id|name)="([^"]*)"/g)].map(([, id = '']) => unescape(id)));
    anchors.set(file, known);
    return known;
  };
  const problemOf = (file: string, link: string): string | undefined => {
    const [path = '', anchor = ''] = link.split('#');
    const inside = path.startsWith(base) ? path.slice(base.length) : posix.join(posix.dirname(file), path);
    const target = path === '' ? file : fileAt(folder, decodeURI(inside));
    if (target === undefined || (path.startsWith('/') && !path.startsWith(base))) return `${file}: ${link}`;
    const isKnown = anchor === '' || !target.endsWith('.html') || anchorsOf(target).has(decodeURIComponent(anchor));
    return isKnown ? undefined : `${file}: ${link}`;
  };
  return [...texts].flatMap(([file, html]) => {
    const links = [...html.matchAll(/<a\s[^>]*?href="([^"]*)"/g)].map(([, link = '']) => unescape(link));
    const loaded = [...html.matchAll(/<(?:script|img|link|iframe)\s[^>]*?(?:src|href)="([^"]*)"/g)].map(
      ([, link = '']) => unescape(link),
    );
    const elsewhere = loaded.filter((link) => /^(?:[a-z]+:)?\/\//.test(link)).map((link) => `${file} loads ${link}`);
    const inside = [...links, ...loaded].filter((link) => !/^(?:[a-z]+:|\/\/)/.test(link));
    return [...elsewhere, ...inside.flatMap((link) => problemOf(file, link) ?? [])];
  });
}

/** The file that a path of the site shows. */
function fileAt(folder: string, path: string): string | undefined {
  const plain = path.replace(/[?].*$/, '').replace(/\/$/, '');
  return [plain, `${plain}.html`, posix.join(plain, 'index.html')].find(
    (file) => existsSync(join(folder, file)) && statSync(join(folder, file)).isFile(),
  );
}

function unescape(text: string): string {
  return text
    .replaceAll('&amp;', '&')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>');
}
