export {
  serveTaskNotifications,
  type FetchHandler,
  type FetchContext,
  type TaskNotificationOptions,
} from './lib/listen.ts';
export { TASKS_EXTENSION } from './lib/extension.ts';
export {
  serveTasks,
  type CreateTaskResult,
  type ServedTasks,
  type ServeTasksOptions,
  type TaskServer,
} from './lib/serve-v2.ts';
