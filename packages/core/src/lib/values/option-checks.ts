import { isPlainObject, nameOfClass } from './plain.ts';
import { suggestion } from './suggestions.ts';

/**
 * The longest delay of a timer, in milliseconds: Node.js fires a timer with a longer one at once.
 */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

/**
 * The names of options, each with what users call it elsewhere, so that an error can suggest the
 * right name. Misspellings are recognized without that.
 */
export type OptionNames<Options = Readonly<Record<string, unknown>>> = {
  readonly [Name in keyof Options]-?: readonly string[];
};

/**
 * Checks that options are a plain object with known names only. Refuses `undefined`: give a default
 * where options can be left out.
 *
 * @param where What the options belong to, such as `replay` or `retention`, for the message.
 * Default: the message does not say.
 * @param instead What to do instead of giving an option that does not exist, by its name, such as
 * "put it into url". Default: nothing.
 * @throws TypeError such as "Unknown option connectionString; did you mean url?"
 */
export function checkOptions(
  options: unknown,
  known: OptionNames,
  where?: string,
  instead: Readonly<Record<string, string>> = {},
): void {
  const whose = where === undefined ? '' : ` of ${where}`;
  if (!isPlainObject(options)) {
    const wanted = kindOf(options).startsWith('an object') ? 'a plain object' : 'an object';
    throw wrongKind(`Options${whose} are`, options, wanted);
  }
  for (const name in options) {
    if (Object.hasOwn(known, name)) continue;
    throw new TypeError(`Unknown option ${name}${whose}; ${advice(name, known, instead)}`);
  }
}

function advice(name: string, known: OptionNames, instead: Readonly<Record<string, string>>): string | undefined {
  if (Object.hasOwn(instead, name)) return instead[name];
  const meant = suggestion(name, known);
  return meant === undefined ? `there are ${Object.keys(known).join(', ')}` : `did you mean ${meant}?`;
}

/**
 * Refuses an option that is present and `undefined`, for options whose default is another database
 * or other tables. Such a value is often an environment variable that is not set.
 *
 * @param defaults What each such option stands for if it is left out, for the message.
 * @throws TypeError such as "Option url is undefined; leave it out to use DATABASE_URL"
 */
export function refuseUndefined<Options extends object>(
  options: Options,
  defaults: { readonly [Name in keyof Options]?: string },
): void {
  for (const name of Object.keys(defaults) as (keyof Options & string)[]) {
    if (name in options && options[name] === undefined) {
      throw new TypeError(`Option ${name} is undefined; leave it out to use ${defaults[name]}`);
    }
  }
}

/**
 * A whole number from `min` to `max`, or `fallback` if the value is `undefined`.
 *
 * @throws TypeError or RangeError that names the option.
 */
export function whole(
  name: string,
  value: unknown,
  fallback: number,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  const given = value === undefined ? fallback : value;
  if (typeof given !== 'number') throw new TypeError(`Option ${name} is not a number`);
  if (!Number.isInteger(given) || given < min || given > max) {
    throw new RangeError(`Option ${name} is ${given}, not a whole number from ${min} to ${max}`);
  }
  return given;
}

/**
 * A whole number from 1 to `max`, or `fallback` if the value is `undefined`. Throws like {@link
 * whole}.
 */
export function positive(name: string, value: unknown, fallback: number, max?: number): number {
  return whole(name, value, fallback, 1, max);
}

/** A whole number from 1 to `max`, or `undefined`. Throws like {@link whole}. */
export function optional(name: string, value: unknown, max?: number): number | undefined {
  return value === undefined ? undefined : whole(name, value, 1, 1, max);
}

/**
 * A string that is not empty, or `fallback` if the value is `undefined`. No message shows the
 * value: it may be a password.
 *
 * @throws TypeError or RangeError that names the option.
 */
export function text(name: string, value: unknown, fallback: string): string;
export function text(name: string, value: unknown): string | undefined;
export function text(name: string, value: unknown, fallback?: string): string | undefined {
  if (value === undefined) return fallback;
  if (typeof value !== 'string') throw new TypeError(`Option ${name} is not a string`);
  if (value === '') throw new RangeError(`Option ${name} is empty`);
  return value;
}

/**
 * An array of strings that are not empty, or `undefined`.
 *
 * @throws TypeError or RangeError that names the option.
 */
export function texts(name: string, value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new TypeError(`Option ${name} is ${kindOf(value)}, not an array of strings`);
  return value.map((entry, index) => text(`${name}[${index}]`, entry ?? null) ?? '');
}

/**
 * True or false, or `fallback` if the value is `undefined`.
 *
 * @throws TypeError that names the option.
 */
export function flag(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw new TypeError(`Option ${name} is not a boolean`);
  return value;
}

/**
 * One of the choices, or `fallback` if the value is `undefined`.
 *
 * @throws TypeError or RangeError that names the option and the choices.
 */
export function oneOf<Choice extends string>(
  name: string,
  value: unknown,
  choices: readonly Choice[],
  fallback: NoInfer<Choice>,
): Choice {
  const given = text(name, value, fallback);
  const choice = choices.find((each) => each === given);
  if (choice === undefined) {
    throw new RangeError(
      `Option ${name} is ${JSON.stringify(given)}, not ${choices.map((each) => `'${each}'`).join(' or ')}`,
    );
  }
  return choice;
}

/**
 * A function, or `undefined`.
 *
 * @throws TypeError that names the option.
 */
export function callable<F>(name: string, value: F | undefined): F | undefined {
  if (value !== undefined && typeof value !== 'function') throw new TypeError(`Option ${name} is not a function`);
  return value;
}

/**
 * A function that a method was called with.
 *
 * @throws TypeError such as "Argument change of update is a number, not a function"
 */
export function checkFunction(name: string, value: unknown, method: string): void {
  if (typeof value !== 'function') throw wrongKind(`Argument ${name} of ${method} is`, value, 'a function');
}

/**
 * The error for a value of the wrong kind, which it does not show.
 *
 * @param subject Such as `Store of defineHandle is`.
 */
export function wrongKind(subject: string, value: unknown, wanted: string): TypeError {
  const found = kindOf(value);
  return new TypeError(`${subject} ${found}, not ${wanted}${found === 'a promise' ? ': await it first' : ''}`);
}

/**
 * Describes a value for a message that must not show it: `a string`, `an array`, `a promise`,
 * `an object of class Map`.
 */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object' && typeof value !== 'function') return `a ${typeof value}`;
  if (typeof (value as { then?: unknown }).then === 'function') return 'a promise';
  if (typeof value === 'function') return 'a function';
  return isPlainObject(value) ? 'an object' : `an object of class ${nameOfClass(value)}`;
}
