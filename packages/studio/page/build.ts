import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
/** Ignored by git. Holds the newest build, so that many processes of a test run share it. */
const kept = join(folder, 'dist', 'page.json');
/** What the bundle is made of besides the sources. */
const PACKAGES = ['preact', '@preact/signals', 'vite'];

/** A build, and the sources that it was made from. */
interface Build {
  readonly key: string;
  readonly files: Readonly<Record<string, string>>;
}

/** Builds the page with Vite, unless nothing has changed since the last build. */
export async function buildPage(): Promise<Build['files']> {
  const key = keyOf();
  const known = existsSync(kept) ? (JSON.parse(readFileSync(kept, 'utf8')) as Build) : undefined;
  if (known?.key === key) return known.files;
  const built: Build = { key, files: await bundle() };
  mkdirSync(join(folder, 'dist'), { recursive: true });
  // Renamed, because others read it at the same time.
  const made = `${kept}.${process.pid}`;
  writeFileSync(made, JSON.stringify(built));
  renameSync(made, kept);
  rmSync(made, { force: true });
  return built.files;
}

function keyOf(): string {
  const digest = createHash('sha256');
  const names = globSync(['*.ts', '*.html', 'public/*', 'src/**/*.{ts,tsx,css}'], { cwd: folder }).toSorted();
  for (const name of names) {
    digest.update(`${name}\0`).update(readFileSync(join(folder, name)));
  }
  const require = createRequire(import.meta.url);
  for (const name of PACKAGES) digest.update(require.resolve(name));
  return digest.digest('base64url');
}

async function bundle(): Promise<Build['files']> {
  const { build } = await import('vite');
  const result = await build({
    root: folder,
    configFile: false,
    envDir: false,
    logLevel: 'warn',
    // Relative, so that the page works wherever it is mounted.
    base: './',
    // Not what tests set for themselves.
    mode: 'production',
    define: { 'process.env.NODE_ENV': '"production"' },
    resolve: { conditions: ['module', 'browser', 'production'] },
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact', development: false } },
    build: { write: false, target: 'es2022', modulePreload: false, assetsInlineLimit: 0, reportCompressedSize: false },
  });
  const [first] = [result].flat();
  if (first === undefined || !('output' in first)) throw new Error('Vite has built nothing');
  const files = first.output.map((file) => [file.fileName, file.type === 'chunk' ? file.code : textOf(file.source)]);
  const icon = readFileSync(join(folder, 'public', 'icon.svg'), 'utf8');
  return Object.fromEntries([...files, ['icon.svg', icon]]) as Build['files'];
}

function textOf(source: string | Uint8Array): string {
  return typeof source === 'string' ? source : Buffer.from(source).toString();
}
