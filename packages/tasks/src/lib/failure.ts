import { SessionError, type JsonValue, type SessionErrorCode } from '@mcp-session/core';
import type { TaskFailure } from './task.ts';

/**
 * The JSON-RPC error in an error with a whole number as its `code`, such as those of both SDKs.
 *
 * @returns `undefined` if the value is no such error.
 */
export function failureOf(error: unknown): TaskFailure | undefined {
  const { code, message, data } = (error ?? {}) as { readonly [Name in keyof TaskFailure]?: unknown };
  if (typeof code !== 'number' || !Number.isInteger(code) || typeof message !== 'string') return undefined;
  return { code, message, ...(data !== undefined && { data: data as JsonValue }) };
}

const MISTAKES: ReadonlySet<SessionErrorCode> = new Set<SessionErrorCode>([
  'NOT_JSON',
  'PROFILE_TOO_LARGE',
  'STATE_LIMIT_EXCEEDED',
  'STATE_VALUE_TOO_LARGE',
]);

/** What a worker gave is wrong, or too large: the same call would fail again. */
export function isMistake(error: unknown): error is Error {
  if (error instanceof SessionError) return MISTAKES.has(error.code);
  return error instanceof TypeError || error instanceof RangeError;
}
