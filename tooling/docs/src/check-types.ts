import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Block } from './documents.ts';

// Next to our node_modules, so that the code finds the packages by name, as a reader's would.
const folder = fileURLToPath(new URL('../.blocks/', import.meta.url));

/**
 * The folder of the project that a document's blocks with `file=path` make together, with an
 * absolute path.
 */
export function projectOf(document: string): string {
  return join(folder, document.replaceAll(/[^\w]/g, '_'));
}

/** The file that holds a block while it is checked, with an absolute path. */
export function fileOf({ document, line, flags }: Block): string {
  const path = flags.find((flag) => flag.startsWith('file='))?.slice('file='.length);
  return path === undefined ? `${projectOf(document)}_${line}.ts` : join(projectOf(document), path);
}

/** Writes each block to its file, and removes earlier files. */
export function writeBlocks(blocks: readonly Block[]): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const block of blocks) {
    const file = fileOf(block);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${block.prelude}${block.code}`);
  }
  const compilerOptions = {
    declaration: false,
    isolatedDeclarations: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
  };
  const config = { extends: '@mcp-session-tooling/tsconfig/base.json', include: ['**/*.ts'], compilerOptions };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
}

/** Runs the tests of a project that blocks make, from the sources of our packages. */
export async function runTests(project: string): Promise<{ readonly status: number | null; readonly output: string }> {
  writeFileSync(join(project, 'vitest.config.ts'), "export { default } from '@mcp-session-tooling/vitest';\n");
  const entry = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
  const child = spawn(process.execPath, [entry, 'run'], { cwd: project, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, output };
}

/**
 * Type-checks the written blocks at once; returns the compiler's complaints about each, by file.
 */
export function checkTypes(): Map<string, string[]> {
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  const { stdout, status } = spawnSync(process.execPath, [compiler, '--project', folder, '--pretty', 'false'], {
    encoding: 'utf8',
    cwd: folder,
  });
  const complaints = new Map<string, string[]>();
  for (const line of stdout.split('\n')) {
    const file = /^(?<file>[^\s(]+\.ts)\(/.exec(line)?.groups?.['file'];
    if (file !== undefined) complaints.set(join(folder, file), [...(complaints.get(join(folder, file)) ?? []), line]);
  }
  if (status !== 0 && complaints.size === 0) throw new Error(`tsc failed with no complaint about a block: ${stdout}`);
  return complaints;
}
