// What the servers and the workers have in common: one PostgreSQL, with the sessions in one schema
// and the queue in another.
import { createStoreEventBus } from '@mcp-session/http/v2';
import { createPostgresStore } from '@mcp-session/postgres';
import { createTaskStore } from '@mcp-session/tasks';
import { PgBoss } from 'pg-boss';

if (process.env['DATABASE_URL'] === undefined) {
  console.error('Set DATABASE_URL to a PostgreSQL database, such as postgres://user:password@127.0.0.1:5432/name');
  process.exit(1);
}

/** The queue of the reports that are to be written. */
export const QUEUE = 'reports';
/** The queue of those that no worker could write: each one killed its workers. */
export const GIVEN_UP = 'reports-given-up';

/** A job of the queue: where its task is. Everything else is in the task. */
export interface ReportJob {
  readonly taskId: string;
  readonly principal: string | null;
}

/** The context of a task. */
export type ReportContext = { readonly pages: number; readonly pageMs: number };

export const store = await createPostgresStore({ schema: 'mcp_tasks_on_a_queue' }).catch((error: unknown) => {
  // `store` names the database, and never the password.
  const { message, store } = error as Error & { readonly store?: string };
  console.error(`${message} (${store})`);
  process.exit(1);
});

/** Carries what a worker changes to the servers, where clients listen. */
export const bus = createStoreEventBus(store);

export const tasks = createTaskStore(store, {
  // The queue decides that a worker is dead, and tries again. A server that reads the task leaves
  // it alone.
  onInterrupted: 'run again',
  // Below `heartbeatSeconds`: when the queue tries again, the task is free.
  leaseMs: 5_000,
  pollIntervalMs: 500,
  bus,
});

export const boss = new PgBoss({
  connectionString: process.env['DATABASE_URL'],
  schema: 'tasks_on_a_queue',
  // How often it looks for jobs whose worker has died. Default: each minute.
  superviseIntervalSeconds: 1,
  monitorIntervalSeconds: 1,
  schedule: false,
});
boss.on('error', (error) => console.error(error));
await boss.start();
// A worker that is only slow may miss the heartbeat of the queue and keep its task. Each retry
// waits twice as long as the one before, from 1 to 2 seconds on, so that such a worker does not use
// up all of them within seconds.
const waits = { retryDelay: 1, retryBackoff: true, retryDelayMax: 60 };
// For a day, which is as long as a task is kept.
await boss.createQueue(GIVEN_UP, { ...waits, retryLimit: 1_440 });
await boss.createQueue(QUEUE, {
  // A worker that is silent for so long counts as dead, and the job goes to another one.
  heartbeatSeconds: 10,
  // A report may take as long as its task is kept.
  expireInSeconds: 86_399,
  ...waits,
  retryLimit: 5,
  deadLetter: GIVEN_UP,
});
