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
