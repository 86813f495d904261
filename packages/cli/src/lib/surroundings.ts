import { kindOf } from '@mcp-session/core/backend';

/** Where a command writes to. A stream of Node is one. */
export interface CliOutput {
  write(text: string): unknown;
  /** Whether a person reads it: then there are colours and lines fit the width. Default: no. */
  readonly isTTY?: boolean | undefined;
  /** Width of the terminal in columns. Default: 80. */
  readonly columns?: number | undefined;
}

/** What a command takes from its process. */
export interface CliSurroundings {
  /** Gets results. */
  readonly stdout: CliOutput;
  /** Gets errors and progress. */
  readonly stderr: CliOutput;
  /** `MCP_SESSION_STORE`, `NO_COLOR`, and what drivers read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder that paths of files and installed backends start from. */
  readonly folder: string;
  /** Ends `events --follow`, `studio` and `sweep`. Default: never. */
  readonly signal?: AbortSignal | undefined;
}

/** @throws TypeError that says what the caller of `runCli` gave wrong. */
export function checkCall(args: unknown, surroundings: unknown): void {
  if (!Array.isArray(args)) throw new TypeError(`Arguments are ${kindOf(args)}, not an array of strings`);
  const wrong = args.findIndex((each) => typeof each !== 'string');
  if (wrong >= 0) throw new TypeError(`Argument ${wrong} is ${kindOf(args[wrong])}, not a string`);
  if (typeof surroundings !== 'object' || surroundings === null) {
    throw new TypeError(`Surroundings are ${kindOf(surroundings)}, not an object with stdout, stderr, env and folder`);
  }
  const { stdout, stderr, env, folder, signal }: Partial<CliSurroundings> = surroundings;
  for (const [name, output] of Object.entries({ stdout, stderr })) {
    if (typeof output?.write === 'function') continue;
    throw new TypeError(`Surrounding ${name} is ${kindOf(output)}, not a stream such as process.${name}`);
  }
  if (typeof env !== 'object' || env === null) {
    throw new TypeError(`Surrounding env is ${kindOf(env)}, not an object such as process.env`);
  }
  if (typeof folder !== 'string') {
    throw new TypeError(`Surrounding folder is ${kindOf(folder)}, not a path such as process.cwd()`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`Surrounding signal is ${kindOf(signal)}, not an AbortSignal`);
  }
}
