import { SessionError, type SessionErrorCode } from '@mcp-session/core';
import { inspect, isDeepStrictEqual } from 'node:util';

/**
 * A failed check of a case: what was called, what was promised and what came. The runner adds the
 * promise.
 */
export class Finding extends Error {
  override readonly name = 'Finding';
}

/** Formats a value in bounded length, because a page of 1 MiB messages must not fill the screen. */
export function show(value: unknown): string {
  const options = { depth: 6, maxStringLength: 120, maxArrayLength: 12, breakLength: 140, compact: 3 };
  return inspect(value, options).replaceAll('[Object: null prototype] ', '').replaceAll('\n', '\n  ');
}

/** An error in one line. The `cause` has its stack. */
export function tellError(error: unknown): string {
  if (!(error instanceof Error)) return show(error);
  return `${error.name}${error instanceof SessionError ? ` ${error.code}` : ''}: ${error.message}`;
}

/**
 * Fails unless `got` deeply equals `promised`. Members that are `undefined` count as absent. A
 * number does not equal the same number as text or bigint.
 */
export function same(got: unknown, promised: unknown, what: string): void {
  const [left, right] = [plain(got), plain(promised)];
  if (!isDeepStrictEqual(left, right)) {
    throw new Finding(`${what}\n${difference(left, right)}`);
  }
}

/** Shows both values; of long lists, only the place where they differ. */
function difference(got: unknown, promised: unknown): string {
  if (!Array.isArray(got) || !Array.isArray(promised) || Math.max(got.length, promised.length) <= 12) {
    return `  promised: ${show(promised)}\n  got:      ${show(got)}`;
  }
  const length = Math.max(got.length, promised.length);
  const at = Array.from({ length }).findIndex((_, index) => !isDeepStrictEqual(got[index], promised[index]));
  const part = (list: readonly unknown[]): string =>
    `${list.length} items, from item ${at + 1}: ${show(list.slice(at, at + 8))}`;
  return `  promised: ${part(promised)}\n  got:      ${part(got)}`;
}

/** Fails unless the condition holds; `what` says what the backend did wrong. */
export function holds(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Finding(what);
}

/** Fails if there is no value, for example because a live session was treated as missing. */
export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) {
    throw new Finding(`${what}\n  promised: an answer, as for a live session\n  got:      undefined`);
  }
  return value;
}

/** Fails unless the call returns a promise that rejects with a `SessionError` of this code. */
export async function rejects(call: () => Promise<unknown>, code: SessionErrorCode, what: string): Promise<void> {
  let pending: Promise<unknown>;
  try {
    pending = call();
  } catch (error) {
    throw new Finding(`${what}\n  promised: a promise that rejects\n  got:      thrown at once: ${tellError(error)}`, {
      cause: error,
    });
  }
  let value: unknown;
  try {
    value = await pending;
  } catch (error) {
    if (error instanceof SessionError && error.code === code) return;
    throw new Finding(
      `${what}\n  promised: rejected with a SessionError ${code}\n  got:      rejected with ${tellError(error)}`,
      { cause: error },
    );
  }
  throw new Finding(
    `${what}\n  promised: rejected with a SessionError ${code}\n  got:      resolved with ${show(value)}`,
  );
}

/**
 * Copies to plain objects without `undefined` members, so that row classes of drivers compare
 * equal.
 */
export function plain(value: unknown): unknown {
  if (value instanceof Map) {
    return new Map(
      [...value]
        .map(([key, item]) => [key, plain(item)] as const)
        .toSorted(([a], [b]) => compareBytes(String(a), String(b))),
    );
  }
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  // With a null prototype, `__proto__` is an ordinary member.
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [key, item] of Object.entries(value)) if (item !== undefined) copy[key] = plain(item);
  return copy;
}

/** Compares by the bytes of UTF-8, the order of listings. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
