import { formatPath, SessionError } from '../errors.ts';
import { findFault } from './json-faults.ts';

/** A value that JSON can hold. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * Encodes a value that must come back as given. `undefined` is treated as `JSON.stringify` does: a
 * property is left out, and an array entry becomes `null`. Everything else that JSON would drop or
 * change is refused: functions, symbols, BigInt, NaN, infinities, cycles, and objects of classes
 * such as `Date`.
 *
 * @param subject Names the value in the error. A function, since it is seldom needed.
 * @param checkSize Refuses a text that is too large, before the value is searched for faults.
 * @param parts Names of the value's properties, for a fault in one of them. Default: they have
 * none.
 * @throws SessionError `NOT_JSON`
 */
export function encodeExact(
  value: unknown,
  subject: () => string,
  checkSize: (text: string) => void,
  parts: Parts = new Map(),
): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw notJson(value, subject, parts, { cause });
  }
  if (text === undefined) throw notJson(value, subject, parts);
  checkSize(text);
  if (!isExact(value)) throw notJson(value, subject, parts);
  return text;
}

/**
 * Encodes a message as it would go over the wire: like `JSON.stringify`, it leaves out properties
 * that are `undefined`.
 *
 * @throws SessionError `NOT_JSON` for a cycle, a BigInt, or nothing to write.
 */
export function encodeMessage(message: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(message);
  } catch (cause) {
    throw new SessionError(
      'NOT_JSON',
      'Message cannot be written as JSON; it holds a cycle, a BigInt, or an object that fails when it is read',
      { cause },
    );
  }
  if (text === undefined) {
    throw new SessionError('NOT_JSON', `Message of type ${typeof message} cannot be written as JSON`);
  }
  return text;
}

/**
 * @throws SessionError `STORE_CORRUPT` if the stored text is not JSON, which only another program
 * can have written.
 */
export function decode(text: string, subject: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SessionError('STORE_CORRUPT', `Stored ${subject} is not JSON`, { cause });
  }
}

/**
 * Checks a value that was written, so it contains no cycle and nothing need be remembered on the
 * way.
 */
function isExact(value: unknown): boolean {
  try {
    return findFault(value) === undefined;
  } catch {
    return false;
  }
}

type Parts = ReadonlyMap<string | number | undefined, string>;

/** Says what in the value cannot be stored, where it is, and what to do. Never shows the value. */
function notJson(
  value: unknown,
  subject: () => string,
  parts: Parts,
  options: { readonly cause?: unknown } = {},
): SessionError {
  let fault;
  try {
    // What JSON.stringify has refused may contain a cycle.
    fault = findFault(value, 1, 'cause' in options ? new Set() : undefined);
  } catch {
    // A getter or a proxy that throws. What it threw is the cause.
  }
  if (fault === undefined) {
    const what = value === undefined ? 'is undefined; give null' : 'cannot be read';
    return new SessionError('NOT_JSON', `${subject()} ${what}`, options);
  }
  const path = fault.path.toReversed();
  const part = parts.get(path[0]);
  if (part !== undefined) path.shift();
  const where = path.length === 0 ? '' : ` at ${formatPath(path)}`;
  const verb = where === '' ? 'is' : 'holds';
  return new SessionError(
    'NOT_JSON',
    `${part ?? subject()} ${verb} what JSON cannot hold: ${fault.found}${where}; ${fault.remedy}`,
    options,
  );
}
