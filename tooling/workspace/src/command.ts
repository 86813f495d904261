import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { root } from './packages.ts';

/** How a command ended. */
export interface Outcome {
  readonly ok: boolean;
  /** Its output, unless it was passed through. */
  readonly output: string;
}

/** A command to run in a folder of the workspace. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** Absolute path. Default: the root. */
  readonly cwd?: string;
  /** Whether its output goes directly to ours. Otherwise it is collected. Default: false. */
  readonly passThrough?: boolean;
  /**
   * After this time, in milliseconds, the command is killed and counts as failed. Default: 10
   * minutes.
   */
  readonly timeoutMs?: number;
}

/**
 * Builds every package, from the cache if nothing has changed. Turbo needs a pnpm on the path, and
 * there may be none.
 */
export const buildCommand: readonly [string, readonly string[]] = [
  'npx',
  ['--yes', '--package=pnpm@12', '--', 'turbo', 'run', 'build', '--output-logs=errors-only'],
];

/**
 * Runs a command, with the workspace's tools on the path. Never throws: a command that cannot start
 * counts as failed.
 */
export async function run(command: Command): Promise<Outcome> {
  const { file, args, cwd = root, passThrough = false, timeoutMs = 600_000 } = command;
  const child = spawn(file, args, {
    cwd,
    stdio: ['ignore', passThrough ? 'inherit' : 'pipe', passThrough ? 'inherit' : 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    env: {
      ...process.env,
      PATH: [join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter),
      DO_NOT_TRACK: '1',
      TURBO_TELEMETRY_DISABLED: '1',
    },
  });
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ending = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => {
      resolve(error.message);
    });
    child.once('close', (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(signal === 'SIGKILL' ? `killed, perhaps after ${timeoutMs} ms` : `exit code ${code}`);
    });
  });
  const output = Buffer.concat(chunks).toString();
  return ending === undefined ? { ok: true, output } : { ok: false, output: `${output}${file}: ${ending}\n` };
}
