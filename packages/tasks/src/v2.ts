export {
  serveTasks,
  TASKS_EXTENSION,
  type CreateTaskResult,
  type ServedTasks,
  type ServeTasksOptions,
  type TaskServer,
} from './lib/serve-v2.ts';
