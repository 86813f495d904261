import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Miniflare } from 'miniflare';
import { bundle, type Bundle } from './bundle.ts';
import type { Place } from './store.ts';

/** A server on some runtime. */
export interface Running {
  readonly url: string;
  /** Ends it without notice, with everything that it was at. Resolves when it is gone. */
  kill(): Promise<void>;
}

/** Starts a server on a runtime, on a free port. A process reports what it prints. */
export type StartRuntime = (place: Place, onLine?: (line: string) => void) => Promise<Running>;

const SOURCES = '--conditions=@mcp-session/source';

export const startNode: StartRuntime = (...given) => startProcess(process.execPath, [SOURCES, 'node.ts'], ...given);

export const startNest: StartRuntime = (...given) => startProcess(process.execPath, [SOURCES, 'nest.ts'], ...given);

export const startBun: StartRuntime = (...given) => {
  const { platform, arch } = process;
  const bun = binary(`@oven/bun-${platform}-${arch === 'arm64' ? 'aarch64' : 'x64'}`, 'bin/bun');
  return startProcess(bun, [SOURCES, 'bun.ts'], ...given);
};

export const startDeno: StartRuntime = (...given) => {
  const { platform, arch } = process;
  const deno = binary(`@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}`, 'deno');
  return startProcess(deno, ['run', '-A', '--no-check', '--node-modules-dir=manual', SOURCES, 'deno.ts'], ...given);
};

const bundles = new Map<string, Promise<Bundle>>();

/**
 * Starts workerd with the Worker of an entry. `kill` throws its isolates away.
 *
 * @param bindings What its environment holds besides the Durable Objects.
 */
export async function startWorker(
  entry: URL,
  bindings: Record<string, string | Record<string, string>>,
  durableObjects: Record<string, string>,
): Promise<Running> {
  const modules = bundles.get(entry.href) ?? bundle(entry);
  bundles.set(entry.href, modules);
  const miniflare = new Miniflare({
    modules: (await modules).map(({ name, code }) => ({ type: 'ESModule' as const, path: name, contents: code })),
    compatibilityDate: '2026-07-30',
    compatibilityFlags: ['nodejs_compat'],
    durableObjects,
    bindings,
  });
  const url = new URL('/mcp', await miniflare.ready).href;
  let killed: Promise<void> | undefined;
  return { url, kill: () => (killed ??= miniflare.dispose()) };
}

/** Starts a Worker of this folder. */
const startOwn = (entry: string, place: Place, durableObjects: Record<string, string>): Promise<Running> =>
  startWorker(new URL(entry, import.meta.url), { PLACE: { ...place } }, durableObjects);

export const startWorkers: StartRuntime = (place) => startOwn('worker.ts', place, { SESSIONS: 'Sessions' });

/** A Worker that opens its store for each request. */
export const startWorkersPerRequest: StartRuntime = (place) => startOwn('worker-per-request.ts', place, {});

/** A Worker that keeps a handler between requests, without a Durable Object. */
export const startPlainWorker: StartRuntime = (place) => startOwn('plain-worker.ts', place, {});

async function startProcess(
  program: string,
  args: readonly string[],
  place: Place,
  onLine?: (line: string) => void,
): Promise<Running> {
  const child = spawn(program, [...args, JSON.stringify(place)], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, found] = / listens on (\S+)$/.exec(line) ?? [];
      if (found === undefined) onLine?.(line);
      else resolve(found);
    });
    void ended.then(([code]) => reject(new Error(`${program} ended with exit code ${String(code)}`)), reject);
  });
  return {
    url,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function binary(name: string, path: string): string {
  return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), path);
}
