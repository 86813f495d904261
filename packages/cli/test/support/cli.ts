import { tmpdir } from 'node:os';
import { runCli } from '@mcp-session/cli';

/** What a command wrote, and how it ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a test runs a command. */
export interface RunOptions {
  /** Columns of the terminal. Default: no terminal. */
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly folder?: string;
  readonly signal?: AbortSignal;
  /** Called with what was written so far to stdout. */
  readonly onOutput?: (stdout: string) => void;
  /** Called with each text that is written to stderr. */
  readonly onNote?: (text: string) => void;
}

/** Runs a command in this process. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { columns, env = {}, folder = tmpdir(), signal, onOutput, onNote } = options;
  const written = { stdout: '', stderr: '' };
  const terminal = columns === undefined ? {} : { isTTY: true, columns };
  const outputOf = (name: keyof typeof written) => ({
    ...terminal,
    write: (text: string) => {
      written[name] += text;
      if (name === 'stdout') onOutput?.(written.stdout);
      else onNote?.(text);
    },
  });
  const surroundings = { stdout: outputOf('stdout'), stderr: outputOf('stderr'), env, folder, signal };
  const code = await runCli(args, surroundings);
  return { code, ...written };
}
