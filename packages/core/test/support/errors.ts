import { SessionError } from '@mcp-session/core';

/**
 * The code of the SessionError that a piece of work ends with; the error's name where it is another
 * one; `none` where it succeeds.
 */
export async function codeOf(work: () => unknown): Promise<string> {
  const error = await errorOf(work);
  if (error === undefined) return 'none';
  if (error instanceof SessionError) return error.code;
  return error instanceof Error ? error.name : typeof error;
}

/** What a piece of work is rejected with; `undefined` where it succeeds. */
export async function errorOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** All that an async iterable gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
