/**
 * Every code of a {@link TaskError}.
 *
 * - `TASK_LOST`: another worker has the task, or it is final already. Nothing was written.
 * - `TASK_CANCELLED`: the client has cancelled the task.
 * - `INPUT_REFUSED`: answers are no object, too large or too deep to be stored, or too many wait
 *   for the worker. Nothing was written.
 */
export type TaskErrorCode = 'TASK_LOST' | 'TASK_CANCELLED' | 'INPUT_REFUSED';

/** The error of a task. Failures of the store are a `SessionError` of `@mcp-session/core`. */
export class TaskError extends Error {
  override readonly name = 'TaskError';
  readonly code: TaskErrorCode;

  constructor(code: TaskErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export function taskLost(): TaskError {
  return new TaskError('TASK_LOST', 'Task has ended, or another worker has it');
}

export function inputRefused(why: string): TaskError {
  return new TaskError('INPUT_REFUSED', `Answers are refused: ${why}`);
}

export function taskCancelled(): TaskError {
  return new TaskError('TASK_CANCELLED', 'Task was cancelled');
}
