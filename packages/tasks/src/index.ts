export type { TaskRunner, TaskStoreOptions } from './lib/options.ts';
export { TaskError, type TaskErrorCode } from './lib/task-error.ts';
export type { TaskHandle } from './lib/task-handle.ts';
export type { TaskBus } from './lib/changes.ts';
export type { CreateTaskOptions, TaskStore, WatchTaskOptions } from './lib/api.ts';
export { createTaskStore } from './lib/task-store.ts';
export type {
  CancelledTask,
  CompletedTask,
  FailedTask,
  InputRequests,
  InputRequiredTask,
  InputResponses,
  Task,
  TaskAccess,
  TaskFailure,
  TaskFields,
  TaskResult,
  TaskStatus,
  WorkingTask,
} from './lib/task.ts';
