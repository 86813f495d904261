import { SessionError } from './errors.ts';

/** A value that JSON can hold. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

const MAX_DEPTH = 1_000;

/**
 * Encodes a value that must come back as it was given. What JSON would drop or change is refused: `undefined`, functions, symbols, BigInt,
 * NaN, infinities, cycles, and objects of classes such as `Date` and `Map`.
 *
 * @param subject Names the value in the error. A function, since it is seldom needed.
 * @throws SessionError `NOT_JSON`
 */
export function encodeExact(value: unknown, subject: () => string): string {
  refuseInexact(value, subject, undefined);
  return JSON.stringify(value);
}

/**
 * Encodes a message as it would go over the wire: properties that are `undefined` are left out, as `JSON.stringify` does.
 *
 * @throws SessionError `NOT_JSON` where there is nothing to write, a cycle, or a BigInt.
 */
export function encodeMessage(message: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(message);
  } catch (cause) {
    throw new SessionError('NOT_JSON', 'Message cannot be written as JSON', { cause });
  }
  if (text === undefined)
    throw new SessionError('NOT_JSON', `Message of type ${typeof message} cannot be written as JSON`);
  return text;
}

/** @throws SessionError `STORE_CORRUPT` where the stored text is not JSON, which only another program can have written. */
export function decode(text: string, subject: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SessionError('STORE_CORRUPT', `Stored ${subject} is not JSON`, { cause });
  }
}

/** Whether the value is an object of no class: a literal, or one without a prototype. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A value that is being looked at, and what it is part of. A list of links costs a flat value less than an array. */
interface Ancestor {
  readonly value: object;
  readonly depth: number;
  readonly parent: Ancestor | undefined;
}

function refuseInexact(value: unknown, subject: () => string, parent: Ancestor | undefined): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw notJson(subject, String(value));
    return;
  }
  if (typeof value !== 'object') throw notJson(subject, typeof value);
  for (let above = parent; above !== undefined; above = above.parent)
    if (above.value === value) throw notJson(subject, 'a cycle');
  const self = { value, depth: (parent?.depth ?? 0) + 1, parent };
  if (self.depth > MAX_DEPTH) throw notJson(subject, `nested more than ${MAX_DEPTH} levels deep`);
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) refuseInexact(value[index], subject, self);
    if (Object.keys(value).length > value.length) throw notJson(subject, 'an array with properties');
  } else {
    if (!isPlainObject(value)) throw notJson(subject, `an object of class ${className(value)}`);
    if (Object.getOwnPropertySymbols(value).length > 0) throw notJson(subject, 'symbol');
    for (const key of Object.keys(value)) refuseInexact(value[key], subject, self);
  }
  // Of an array too, and where it is hidden or inherited: it would be written in place of the value.
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function')
    throw notJson(subject, 'an object with a method toJSON');
}

function className(value: object): string {
  const { constructor } = value;
  return typeof constructor === 'function' ? constructor.name : 'unknown';
}

function notJson(subject: () => string, found: string): SessionError {
  return new SessionError('NOT_JSON', `${subject()} is or contains what JSON cannot hold: ${found}`);
}
