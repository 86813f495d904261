import { SessionError } from '../errors.ts';

/** The result of a tool call that has failed, as both SDK lines take it. */
export interface ToolErrorResult {
  // The results of both SDK lines may have properties that they do not name.
  [name: string]: unknown;
  content: { type: 'text'; text: string }[];
  isError: true;
}

/** The same words whatever the reason, so that the caller learns none. */
export function handleNotFound(name: string): SessionError {
  return new SessionError('HANDLE_NOT_FOUND', `The ${name} is unknown; create a new one`);
}

export function handleExpired(name: string): SessionError {
  return new SessionError('HANDLE_EXPIRED', `The ${name} has expired; create a new one`);
}

export function handleLimit(name: string, limit: number): SessionError {
  return new SessionError(
    'HANDLE_LIMIT_REACHED',
    `The limit of ${limit} live ${name} handles is reached; destroy one, or use one that exists`,
  );
}

const CODES: ReadonlySet<string> = new Set(['HANDLE_NOT_FOUND', 'HANDLE_EXPIRED', 'HANDLE_LIMIT_REACHED']);

/**
 * Renders an error of a handle as the result of a tool call, so that the model reads what to do.
 * MCP reports such failures in the result and not as a protocol error (2026-07-28, server/tools).
 *
 * @example
 * ```ts
 * import { defineHandle, handleErrorResult } from '@mcp-session/core/handles';
 * import { createMemoryStore } from '@mcp-session/core/memory';
 *
 * const store = await createMemoryStore();
 * const carts = defineHandle(store, { name: 'cart' });
 * const result = await carts.open('cart_unknown', 'user-1').catch(handleErrorResult);
 * console.log('content' in result && result.content); // [ { type: 'text', text: 'The cart is unknown; create a new one' } ]
 * await store.close();
 * ```
 *
 * @throws The error itself if it is not an error of a handle.
 */
export function handleErrorResult(error: unknown): ToolErrorResult {
  if (!(error instanceof SessionError) || !CODES.has(error.code)) throw error;
  return { content: [{ type: 'text', text: error.message }], isError: true };
}
