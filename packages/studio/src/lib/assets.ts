import { respond } from './answers.ts';
import { loadPage, type PageFiles } from './page.ts';

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

let loading: Promise<PageFiles> | undefined;

/** Loads the files once. */
function filesOf(): Promise<PageFiles> {
  loading ??= loadPage();
  // A failure to build is not kept.
  loading.catch(() => (loading = undefined));
  return loading;
}

/** A file of the page; `undefined`: there is no such file. */
export async function assetOf(path: string, method: string): Promise<Response | undefined> {
  const files = await filesOf();
  const name = path === '' ? 'index.html' : path;
  if (!Object.hasOwn(files, name)) return undefined;
  const text = files[name] ?? '';
  // The names of the scripts and styles contain a digest of the content.
  const cache = name.startsWith('assets/') ? 'private, max-age=31536000, immutable' : 'no-cache';
  const type = TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
  return respond(200, method === 'HEAD' ? null : text, { 'content-type': type, 'cache-control': cache });
}
