import { failureOf, isMistake } from './failure.ts';
import type { TaskRunner } from './options.ts';
import { patiently } from './patience.ts';
import { TaskError } from './task-error.ts';
import type { TaskFailure } from './task.ts';
import type { Worker } from './worker.ts';

/**
 * Runs a task to its end. What the runner throws ends the task: an error with a number as its
 * `code`, such as a `ProtocolError` of the SDK, as `failed`; any other as a tool's error, which is
 * `completed` with `isError: true` (SEP-2663, "Task Status").
 */
export async function execute(task: Worker, run: TaskRunner, onError: (error: unknown) => void): Promise<void> {
  try {
    let outcome = await outcomeOf(task, run);
    // The client gets the error of a tool. That the code of the runner is wrong is for its
    // operator.
    const failed = 'thrown' in outcome ? outcome : undefined;
    const isReported = failed !== undefined && task.isMistake(failed.thrown);
    if (isReported) onError(failed.thrown);
    if (await task.isOver()) {
      // The runner has ended its task before, so no client learns of it.
      if (failed !== undefined && !isReported && !task.signal.aborted) onError(failed.thrown);
      return;
    }
    // The work is done, and its end must not be lost. It ends with `TASK_LOST` if a failed attempt
    // was stored, or another worker has the task.
    await patiently(async () => {
      try {
        await finish(task, outcome);
      } catch (error) {
        if (!isMistake(error)) throw error;
        onError(error);
        // The store is well, so another attempt would end in the same way.
        outcome = {
          failure: { code: -32_603, message: `Result of the task cannot be stored: ${error.message}` },
        };
        await finish(task, outcome);
      }
    }, onError);
  } catch (error) {
    if (!(error instanceof TaskError)) onError(error);
    // If the store is closed, the lease runs out, and another process settles the task.
    task.abandon();
  }
}

type Outcome = { readonly result: object } | { readonly thrown: unknown } | { readonly failure: TaskFailure };

async function outcomeOf(task: Worker, run: TaskRunner): Promise<Outcome> {
  try {
    return { result: await run(task) };
  } catch (thrown) {
    return { thrown };
  }
}

async function finish(task: Worker, outcome: Outcome): Promise<void> {
  if ('result' in outcome) return task.complete(outcome.result);
  if ('failure' in outcome) return task.fail(outcome.failure);
  const { thrown } = outcome;
  const reason: unknown = task.signal.reason;
  if (reason instanceof TaskError) {
    if (reason.code === 'TASK_CANCELLED') await task.cancelled();
    return;
  }
  const failure = thrown instanceof Error ? failureOf(thrown) : undefined;
  if (failure !== undefined) return task.fail(failure);
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return task.complete({ content: [{ type: 'text', text }], isError: true });
}
