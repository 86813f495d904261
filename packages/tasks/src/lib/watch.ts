import type { Task } from './task.ts';

/** A task that was read, and when to read it again if no change is reported. */
export interface Look {
  readonly task: Task;
  readonly isFinal: boolean;
  readonly againMs: number;
}

/** How a task is read, and how its changes are reported. */
export interface WatchSource {
  readonly look: () => Promise<Look | undefined>;
  readonly listen: (wake: () => void) => Promise<() => void>;
}

/** Yields the task now and after each change, until it is final, is gone, or the signal aborts. */
export async function* watchTask(
  { look, listen }: WatchSource,
  signal: AbortSignal | undefined,
): AsyncGenerator<Task, void, undefined> {
  let heard = false;
  let wake = (): void => undefined;
  const onHint = (): void => {
    heard = true;
    wake();
  };
  // Before the first read, so that nothing falls between the two.
  const stop = await listen(onHint);
  signal?.addEventListener('abort', onHint, { once: true });
  try {
    let last: string | undefined;
    while (signal?.aborted !== true) {
      heard = false;
      const found = await look();
      if (found === undefined) return;
      const text = JSON.stringify(found.task);
      if (text !== last) yield found.task;
      last = text;
      if (found.isFinal) return;
      // Also while the consumer had the task, something may have been heard.
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, heard ? 0 : found.againMs).unref();
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    stop();
    signal?.removeEventListener('abort', onHint);
  }
}
