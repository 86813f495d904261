import type { CommanderError } from 'commander';
import { CliError } from './failure.ts';

/** Commander's messages that quote an argument, in words that do not: it can be a password. */
const WORDS: Readonly<Record<string, string>> = {
  // The command that "help" is about.
  'commander.help': 'Unknown command',
  'commander.excessArguments': 'Too many arguments',
  'commander.unknownCommand': 'Unknown command',
  'commander.unknownOption': 'Unknown option',
};
/** Its messages that name only what the command has. */
const SAFE: ReadonlySet<string> = new Set(['commander.missingArgument', 'commander.optionMissingArgument']);

/**
 * Whether a line has options only, such as `--json`, where Commander has written the help to
 * `stderr`. Its code is that of "help" for an unknown command.
 *
 * @param args What the line has besides the options of the program.
 */
export function isWithoutCommand({ code }: CommanderError, args: readonly string[]): boolean {
  return code === 'commander.help' && args.length === 0;
}

/** What Commander found wrong, without the arguments that it quotes. */
export function usageError({ code, message }: CommanderError): CliError {
  const own = SAFE.has(code) ? capitalized(message.replace(/^error: /, '')) : (WORDS[code] ?? 'Wrong arguments');
  // The suggestion is a name of this program, and the end of the message.
  const meant = /\n\(Did you mean ([a-z, -]+)\?\)$/.exec(message)?.[1];
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return new CliError(`${own}${hint}`, 'Run "mcp-session help" for the commands and options.');
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
