/**
 * Returns what a function of the caller returned.
 *
 * @throws TypeError if that is a promise.
 */
export function synchronous<T>(result: T, method: string): T {
  if (typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function') return result;
  // Nobody else would handle a later rejection, and Node would end the process.
  Promise.resolve(result).catch(() => undefined);
  throw new TypeError(`The function passed to ${method} is asynchronous; await its inputs before you call ${method}`);
}
