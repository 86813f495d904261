import type { TaskRunner } from './options.ts';
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
    await finish(task, await outcomeOf(task, run));
  } catch (error) {
    if (!(error instanceof TaskError)) onError(error);
    // If the store has failed, the lease runs out, and another process settles the task.
    task.abandon();
  }
}

type Outcome = { readonly result: object } | { readonly thrown: unknown };

async function outcomeOf(task: Worker, run: TaskRunner): Promise<Outcome> {
  try {
    return { result: await run(task) };
  } catch (thrown) {
    return { thrown };
  }
}

async function finish(task: Worker, outcome: Outcome): Promise<void> {
  if ('result' in outcome) return task.complete(outcome.result);
  const { thrown } = outcome;
  const reason: unknown = task.signal.reason;
  if (reason instanceof TaskError) {
    if (reason.code === 'TASK_CANCELLED') await task.cancelled();
    return;
  }
  if (isFailure(thrown)) {
    const { code, message, data } = thrown;
    return task.fail({ code, message, ...(data !== undefined && { data }) });
  }
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return task.complete({ content: [{ type: 'text', text }], isError: true });
}

function isFailure(thrown: unknown): thrown is TaskFailure {
  return thrown instanceof Error && Number.isInteger((thrown as Partial<TaskFailure>).code);
}
