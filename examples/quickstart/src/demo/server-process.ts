import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/**
 * The first import of a process whose input is a pipe: the process then never outlives the one that
 * started it, even if that one is killed.
 */
export const END_WITH_PARENT = 'data:text/javascript,process.stdin.on("end",()=>process.exit(1)).resume().unref()';

/** How to start a server. */
export interface ServerOptions {
  /** The server's source. Default: the quickstart's. */
  readonly file?: URL;
  readonly args: readonly string[];
  /** Further variables of its environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Kills the server. */
  readonly signal: AbortSignal;
  /** Is called with each line that the server prints. */
  readonly onLine: (line: string) => void;
  /** Is called when the server ends by itself. */
  readonly onEnd: (error: Error) => void;
  /**
   * Is called with a function that waits until the signal has killed the server, so that nothing
   * that the server uses is removed before.
   */
  readonly atEnd: (end: () => Promise<void>) => void;
}

/** A server in a process of its own. */
export interface ServerProcess {
  readonly url: string;
  readonly pid: number | undefined;
  /** `kill -9`. Resolves when the process is gone. */
  kill(): Promise<void>;
}

/** @throws Error if the server does not start. The server has printed the reason. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const { file = new URL('../main.ts', import.meta.url), args, env, signal, onLine, onEnd, atEnd } = options;
  const child = spawn(
    process.execPath,
    ['--conditions=@mcp-session/source', '--import', END_WITH_PARENT, fileURLToPath(file), ...args],
    { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env }, signal, killSignal: 'SIGKILL' },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  atEnd(() => ended);
  let killed = false;
  const url = await new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, found] = / listens on (\S+)$/.exec(line) ?? [];
      if (found !== undefined) resolve(found);
      onLine(line);
    });
    child.once('close', (exitCode) => {
      const error = new Error(`The server process ended with exit code ${exitCode}`);
      reject(error);
      if (!killed && !signal.aborted) onEnd(error);
    });
  });
  return {
    url,
    pid: child.pid,
    kill: async () => {
      killed = true;
      child.kill('SIGKILL');
      await ended;
    },
  };
}
