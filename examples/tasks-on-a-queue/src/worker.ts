// One of several workers, which serve no requests: `DATABASE_URL=postgres://… node worker.ts`
import type { TaskHandle } from '@mcp-session/tasks';
import type { CallToolResult } from '@modelcontextprotocol/server';
import { setTimeout as pause } from 'node:timers/promises';
import { boss, GIVEN_UP, QUEUE, type ReportContext, type ReportJob, store, tasks } from './reports.ts';

/** Writes a report slowly, from the page where an earlier worker stopped. */
async function writeReport(task: TaskHandle, signal: AbortSignal): Promise<CallToolResult> {
  const { pages, pageMs } = task.context as ReportContext;
  /** The process that wrote each page. */
  const writers = [...((task.checkpoint ?? []) as number[])];
  while (writers.length < pages) {
    await pause(pageMs, undefined, { signal });
    writers.push(process.pid);
    await task.saveCheckpoint(writers);
    await task.status(`Page ${writers.length} of ${pages}`);
    console.log(`Page ${writers.length} of ${pages}`);
  }
  return { content: [{ type: 'text', text: JSON.stringify({ writers, attempt: task.attempt }) }] };
}

/**
 * Takes the task of a job, whichever process created it.
 *
 * @throws Error if another worker has it; the queue tries again later.
 */
async function take({ taskId, principal }: ReportJob): Promise<TaskHandle | undefined> {
  const handle = await tasks.claim(taskId, { principal });
  if (handle !== undefined) return handle;
  const task = await tasks.get(taskId, { principal });
  // It was cancelled or completed, or its time is over: nothing is left to do.
  if (task?.status !== 'working' && task?.status !== 'input_required') return undefined;
  throw new Error(`Another worker has the task ${taskId}`);
}

await boss.work<ReportJob>(QUEUE, { pollingIntervalSeconds: 0.5 }, async ([job]) => {
  if (job === undefined) return;
  const task = await take(job.data);
  if (task === undefined) return;
  try {
    await task.complete(await writeReport(task, AbortSignal.any([task.signal, job.signal])));
  } catch (error) {
    // A client has cancelled: the job is done as well.
    if (task.signal.aborted && (task.signal.reason as { code?: string }).code === 'TASK_CANCELLED') {
      await task.cancelled();
      return;
    }
    // The queue tries again, here or elsewhere.
    await task.release();
    throw error;
  }
});

await boss.work<ReportJob>(GIVEN_UP, { pollingIntervalSeconds: 0.5 }, async ([job]) => {
  const task = job && (await take(job.data));
  await task?.fail({ code: -32_603, message: 'The report cannot be written' });
});
console.log(`Worker ${process.pid} waits for reports`);

// What a deploy does. A report that is not done in time is continued by another worker.
process.once('SIGTERM', () => {
  void boss
    .stop({ timeout: 5_000 })
    .then(() => store.close())
    .then(() => process.exit());
});
