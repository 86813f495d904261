import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { END_WITH_PARENT } from '../../src/demo/server-process.ts';

const SOURCE = fileURLToPath(new URL('../../src/', import.meta.url));

/** A command of this package, running. */
export interface Running {
  readonly child: ChildProcess;
  /** Standard output and error so far. */
  output(): string;
  /**
   * Resolves with what the pattern finds in the output; rejects when the process ends without it.
   */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves when the process has ended. */
  readonly ended: Promise<{ readonly exitCode: number | null; readonly signal: NodeJS.Signals | null }>;
}

/** How a command is run. */
interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Registers what ends it. Default: at the end of the test. */
  readonly atEnd?: (end: () => Promise<void>) => void;
}

/** Runs a command as the package's script does. */
export function run(
  script: 'main.ts' | 'demo.ts',
  args: readonly string[],
  { env, atEnd = onTestFinished }: RunOptions = {},
): Running {
  const child = spawn(
    process.execPath,
    ['--conditions=@mcp-session/source', '--import', END_WITH_PARENT, join(SOURCE, script), ...args],
    { stdio: 'pipe', env: { ...process.env, ...env } },
  );
  let output = '';
  const watchers = new Set<() => void>();
  const more = (chunk: string): void => {
    output += chunk;
    for (const watch of watchers) watch();
  };
  child.stdout.setEncoding('utf8').on('data', more);
  child.stderr.setEncoding('utf8').on('data', more);
  const ended: Running['ended'] = new Promise((resolve) =>
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal })),
  );
  atEnd(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const until = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const watch = (): void => {
        const found = pattern.exec(output);
        if (found === null) return;
        watchers.delete(watch);
        resolve(found);
      };
      watchers.add(watch);
      watch();
      void ended.then(() => reject(new Error(`Process ended without ${pattern}: ${output}`)));
    });
  return { child, output: () => output, until, ended };
}

/** Runs the server until it listens. */
export async function serve(
  args: readonly string[],
  options?: RunOptions,
): Promise<Running & { readonly url: string }> {
  const running = run('main.ts', args, options);
  const [, url = ''] = await running.until(/listens on (\S+)\n/);
  return { ...running, url };
}

/** Ends a server without warning. */
export async function killNine({ child, ended }: Running): Promise<void> {
  child.kill('SIGKILL');
  await ended;
}

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-quickstart-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
  return folder;
}
