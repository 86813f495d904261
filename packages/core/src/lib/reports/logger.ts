import { kindOf } from '../values/option-checks.ts';

/** What a line of the log says besides its message. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where the log goes: a logger of pino or bunyan, `console`, or an object with these four methods.
 *
 * A method gets the fields first and the message second, as pino takes them. A `console`, the
 * global one or a `Console` of Node, gets the message first, as it prints them.
 */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export type LogLevel = keyof Logger;

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** @throws TypeError that says which function is missing. */
export function checkLogger(value: unknown): void {
  if (value === undefined) return;
  const methods = (value ?? {}) as Readonly<Record<string, unknown>>;
  const missing = LEVELS.find((level) => typeof methods[level] !== 'function');
  if (missing === undefined) return;
  throw new TypeError(
    `Option logger is ${kindOf(value)} without the function ${missing}; give what pino() returns, console, or an object with ${LEVELS.join(', ')}`,
  );
}

/**
 * Writes a line in the order of arguments that the logger takes. Pino would drop the fields that
 * follow a message, and a console prints what comes first in front.
 */
export function writeLine(logger: Logger, level: LogLevel, line: string, fields: LogFields): void {
  if (!isConsole(logger)) {
    logger[level](fields, line);
    return;
  }
  const { err, ...others } = fields;
  // The error by itself, so that the console shows its stack.
  const parts = err === undefined ? [others] : [err];
  (logger as Console)[level](line, ...parts);
}

/** By what a console has and no logger: a test runner has a console of its own class. */
function isConsole(logger: object): boolean {
  const { table, group } = logger as { readonly table?: unknown; readonly group?: unknown };
  return typeof table === 'function' && typeof group === 'function';
}
