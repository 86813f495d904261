import { type AppendOptions, SessionError } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import type { AnySession } from './session-handle.ts';

/** Delays before an append that certainly did not happen is tried again, in milliseconds. */
export const RETRY_DELAYS_MS = [20, 100, 500] as const;

/**
 * Whether a write that failed with this error certainly did not happen and may succeed next time.
 */
export function canRetry(error: unknown): boolean {
  return error instanceof SessionError && error.retryable && !error.outcomeUnknown;
}

/** Appends a message, and retries as long as {@link canRetry} allows. @returns The event's id. */
export async function appendWithRetry(
  session: AnySession,
  streamId: string,
  message: unknown,
  options?: AppendOptions,
): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await session.events.append(streamId, message, options);
    } catch (error) {
      const delayMs = RETRY_DELAYS_MS[attempt];
      if (delayMs === undefined || !canRetry(error)) throw error;
      await pause(delayMs);
    }
  }
}
