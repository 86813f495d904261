import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { protect } from './guard.ts';
import { killTree } from './kill.ts';
import type { DatabaseKind, EmbeddedPlan, ServerNeeds } from './kind.ts';
import { onFreePort } from './port.ts';
import type { OwnServer } from './server.ts';
import { until } from './wait.ts';

const startTimeoutMs = 60_000;

const noop = (): void => undefined;

/**
 * Starts a database's server as a process of this machine, on a free port, with its data in a
 * temporary folder.
 */
export async function openEmbedded(kind: DatabaseKind, needs: ServerNeeds): Promise<OwnServer> {
  const folder = mkdtempSync(join(tmpdir(), `mcp-session-${kind.name}-`));
  const releaseFolder = protect({ kind: 'folder', path: folder });
  const removeFolder = async (): Promise<void> => {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    releaseFolder();
  };

  try {
    const plan = await kind.embedded(needs, folder);
    return await onFreePort(async (port) => {
      const server = new EmbeddedServer(kind, plan, port, join(folder, 'server.log'));
      const product = await server.start();
      const close = async (): Promise<void> => {
        await server.end(plan.closeSignal);
        await removeFolder();
      };
      return {
        database: kind.name,
        source: 'embedded',
        url: plan.url(port),
        product: `${product} on port ${port}`,
        start: async () => void (await server.start()),
        stop: () => server.end(plan.stopSignal),
        kill: () => server.end('SIGKILL'),
        restart: async () => {
          await server.end(plan.stopSignal);
          await server.start();
        },
        close,
        [Symbol.asyncDispose]: close,
      };
    });
  } catch (error) {
    await removeFolder();
    throw error;
  }
}

interface Running {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  readonly release: () => void;
}

class EmbeddedServer {
  readonly #kind: DatabaseKind;
  readonly #plan: EmbeddedPlan;
  readonly #port: number;
  readonly #logFile: string;
  #running: Running | undefined;

  constructor(kind: DatabaseKind, plan: EmbeddedPlan, port: number, logFile: string) {
    this.#kind = kind;
    this.#plan = plan;
    this.#port = port;
    this.#logFile = logFile;
  }

  /** Resolves with the product when the server answers. */
  async start(): Promise<string> {
    const deadline = performance.now() + startTimeoutMs;
    for (;;) {
      try {
        return await this.#startOnce();
      } catch (error) {
        // Processes of a killed server take a moment to end, and until then PostgreSQL refuses to
        // start on their data.
        const lingering = error instanceof Error && error.message.includes('pre-existing shared memory block');
        if (!lingering || performance.now() > deadline) throw error;
        await setTimeout(100);
      }
    }
  }

  async #startOnce(): Promise<string> {
    // It may have ended by itself.
    if (this.#running !== undefined && !isRunning(this.#running.child)) await this.end('SIGKILL');
    const { exited } = (this.#running ??= await this.#spawn());
    try {
      return await until(() => this.#kind.probe(this.#plan.url(this.#port)), startTimeoutMs, exited);
    } catch (error) {
      await this.end('SIGKILL');
      const log = readFileSync(this.#logFile, 'utf8').trim().slice(-2000);
      throw new Error(`${this.#plan.file} did not start: ${log || (error as Error).message}`, { cause: error });
    }
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#running === undefined) return;
    const { child, exited, release } = this.#running;
    child.ref();
    if (signal === 'SIGKILL' && isRunning(child)) await killTree(child.pid);
    else child.kill(signal);
    await exited;
    release();
    this.#running = undefined;
  }

  async #spawn(): Promise<Running> {
    const { file, cwd, identity, closeSignal } = this.#plan;
    // A file instead of pipes: nobody needs to read it, it does not fill up, and it does not keep
    // this process alive.
    const log = openSync(this.#logFile, 'w');
    const child = spawn(file, this.#plan.arguments(this.#port), {
      ...identity,
      cwd,
      env: { ...process.env, LC_ALL: 'C' },
      // Otherwise Ctrl-C in the terminal ends the server before the tests that still use it.
      detached: true,
      stdio: ['ignore', log, log],
    });
    const release = child.pid === undefined ? noop : protect({ kind: 'process', pid: child.pid, signal: closeSignal });
    closeSync(log);
    const exited = once(child, 'exit');
    exited.catch(noop);
    await once(child, 'spawn');
    child.unref();
    return { child, exited, release };
  }
}

function isRunning(child: ChildProcess): child is ChildProcess & { readonly pid: number } {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
