export { serveTaskNotifications } from './lib/listen.ts';
export type { FetchContext, FetchHandler, TaskNotificationOptions } from './lib/listen-options.ts';
export { TASKS_EXTENSION } from './lib/extension.ts';
export {
  serveTasks,
  type CreateTaskResult,
  type ServedTasks,
  type ServeTasksOptions,
  type TaskServer,
} from './lib/serve-v2.ts';
