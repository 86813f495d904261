export {
  serveTasks,
  TASKS_EXTENSION,
  type CreateTaskResult,
  type ServedTasks,
  type ServeTasksOptions,
} from './lib/serve-v2.ts';
