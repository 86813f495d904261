/**
 * Gives back what a function of the caller's returned, unless it was asynchronous.
 *
 * @throws TypeError
 */
export function synchronous<T>(result: T, method: string): T {
  if (typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function') return result;
  // It may reject later, and nobody else would handle that: Node would end the process.
  Promise.resolve(result).catch(() => undefined);
  throw new TypeError(
    `The function given to ${method} is asynchronous; await what it needs before ${method} is called`,
  );
}
