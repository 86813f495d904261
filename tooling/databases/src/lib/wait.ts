import { setTimeout } from 'node:timers/promises';

/**
 * Calls `probe` repeatedly until it resolves.
 *
 * @param ended A promise that settles when further attempts are pointless.
 * @returns What `probe` resolved to.
 * @throws Error when time is up, with the last failure of `probe` as its cause.
 */
export async function until<T>(probe: () => Promise<T>, timeoutMs: number, ended?: Promise<unknown>): Promise<T> {
  const deadline = AbortSignal.timeout(timeoutMs);
  let over = false;
  const stop = (): void => void (over = true);
  ended?.then(stop, stop);

  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (over || deadline.aborted) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`no answer${over ? '' : ` within ${timeoutMs} ms`}: ${reason}`, { cause: error });
      }
      await setTimeout(50);
    }
  }
}
