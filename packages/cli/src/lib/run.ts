import { versionOf } from '@mcp-session/core/backend';
import { CommanderError } from 'commander';
import { describeFailure, EXIT } from './failure.ts';
import { printableLines, wrapped } from './output/text.ts';
import { programOf } from './program.ts';
import { checkCall, type CliSurroundings } from './surroundings.ts';
import { isWithoutCommand, usageError } from './usage.ts';

/**
 * Runs one command of `mcp-session`. A command that fails writes to `stderr` why, and resolves.
 *
 * @param args The arguments after the name of the command, such as `['ls', '--json']`.
 * @returns The exit code: 0 done, 1 failed, 2 wrong arguments, 3 no such session, 4 checks failed.
 * @throws TypeError if `args` is no array of strings, or for one of the surroundings.
 */
export async function runCli(args: readonly string[], surroundings: CliSurroundings): Promise<number> {
  checkCall(args, surroundings);
  const version = versionOf('@mcp-session/cli', import.meta.url) ?? 'unknown';
  const program = programOf(surroundings, version);
  try {
    await program.parseAsync(args.length === 0 ? ['help'] : args, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    // Commander has written the help or the version.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    if (error instanceof CommanderError && isWithoutCommand(error, program.args)) return EXIT.usage;
    const { text, exitCode } = describeFailure(error instanceof CommanderError ? usageError(error) : error);
    const { stderr } = surroundings;
    const safe = printableLines(text);
    stderr.write(`${stderr.isTTY === true ? wrapped(safe, stderr.columns ?? 80) : safe}\n`);
    return exitCode;
  }
}
