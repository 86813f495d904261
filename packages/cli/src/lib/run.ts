import { versionOf } from '@mcp-session/core/backend';
import { CommanderError } from 'commander';
import { describeFailure, EXIT } from './failure.ts';
import { printableLines, wrapped } from './output/text.ts';
import { programOf } from './program.ts';
import type { CliSurroundings } from './surroundings.ts';

/**
 * Runs one command of `mcp-session`. Never rejects.
 *
 * @param args The arguments after the name of the command, such as `['ls', '--json']`.
 * @returns The exit code: 0 done, 1 failed, 2 wrong arguments, 3 no such session, 4 checks failed.
 */
export async function runCli(args: readonly string[], surroundings: CliSurroundings): Promise<number> {
  const version = versionOf('@mcp-session/cli', import.meta.url) ?? 'unknown';
  try {
    await programOf(surroundings, version).parseAsync(args.length === 0 ? ['help'] : args, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    // Commander has written its message.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { text, exitCode } = describeFailure(error);
    const { stderr } = surroundings;
    const safe = printableLines(text);
    stderr.write(`${stderr.isTTY === true ? wrapped(safe, stderr.columns ?? 80) : safe}\n`);
    return exitCode;
  }
}
