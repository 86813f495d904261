import { checkOptions } from '@mcp-session/core/backend';
import { readFileSync } from 'node:fs';
import { parseArgs, type ParseArgsConfig } from 'node:util';

type OptionsConfig = NonNullable<ParseArgsConfig['options']>;

/**
 * Reads the arguments of a command.
 *
 * @throws Error that explains what is wrong with them.
 */
export function readArguments<const Options extends OptionsConfig>(
  args: readonly string[],
  options: Options,
): ReturnType<typeof parseArgs<{ args: string[]; options: Options }>>['values'] {
  try {
    // pnpm passes on the `--` between its own arguments and these.
    return parseArgs({ args: args[0] === '--' ? args.slice(1) : [...args], options }).values;
  } catch (error) {
    const [, unknown] = /^Unknown option '(-[^']*)'/.exec(error instanceof Error ? error.message : '') ?? [];
    const known = Object.keys(options).map((name) => [`--${name}`, []] as const);
    // Suggests the option that was meant.
    if (unknown !== undefined) checkOptions({ [unknown]: true }, Object.fromEntries(known));
    throw error;
  }
}

/**
 * What `--version` shows. The packages of this repository that are not published have no version of
 * their own.
 */
export function version(): string {
  const manifest = readFileSync(new URL('../../../packages/http/package.json', import.meta.url), 'utf8');
  return `@mcp-session/http ${(JSON.parse(manifest) as { version: string }).version}, Node ${process.version}`;
}
