import { connect } from '@mcp-session-examples/tasks-on-a-queue/client';
import { startProxy } from '@mcp-session-examples/two-nodes/proxy';
import { resultFromTaskOutcome, taskViewFromExecutionEvent } from '@modelcontextprotocol/ext-tasks/client';
import { join } from 'node:path';
import * as z from 'zod';
import { checkThat } from './checks.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import type { StoryOptions } from './story.ts';
import { heading, tell } from './tell.ts';

const SERVER = new URL('report-server.ts', import.meta.url);
const PAGES = 10;
/** How many pages the client sees before the node that writes them is killed. */
const SEEN = 3;

const outcomeOfReport = z.object({
  structuredContent: z.object({
    /** The process that wrote each page. */
    writers: z.array(z.number()),
    attempt: z.number(),
  }),
});

/** Two nodes behind a load balancer. */
interface Nodes {
  readonly nodes: readonly ServerProcess[];
  readonly url: string;
  /** Which nodes, counted from 0, have answered each method, in order. */
  readonly answered: (method: string) => readonly number[];
}

/** Starts two processes on one file, and a load balancer that alternates between them. */
async function startNodes(file: string, { signal, fail, atEnd }: Omit<StoryOptions, 'store'>): Promise<Nodes> {
  const serve = (name: string): Promise<ServerProcess> =>
    startServer({
      file: SERVER,
      args: ['0', file],
      signal,
      onLine: (line) => tell(name, line),
      onEnd: fail,
      atEnd,
    });
  const nodes = await Promise.all([serve(nameOf(0)), serve(nameOf(1))]);
  const answers: { readonly method: unknown; readonly node: number }[] = [];
  const origin = await startProxy(
    nodes.map(({ url }) => url),
    { signal, onAnswer: (node, { headers }) => answers.push({ method: headers['mcp-method'], node }) },
  );
  const answered: Nodes['answered'] = (method) =>
    answers.filter((each) => each.method === method).map(({ node }) => node);
  return { nodes, url: `${origin}/mcp`, answered };
}

function nameOf(node: number): string {
  return `node ${node + 1}`;
}

/**
 * Plays the demo of a task, with a client that has the official requester of tasks.
 *
 * @throws Error that names what was lost or doubled.
 */
export async function playTasks(options: StoryOptions): Promise<void> {
  const { folder, signal } = options;
  const file = join(folder, 'sessions.db');
  heading('Two servers start on one file, behind a load balancer that alternates.');
  tell('demo', `The file: ${file}`);
  const { nodes, url, answered } = await startNodes(file, options);

  heading('A client of revision 2026-07-28 calls a tool. The answer is a stored task.');
  const session = await connect(url, signal);
  const execution = await session.callTool('report', {}, { signal });
  if (execution.kind !== 'task') throw new Error('The answer is no task');
  const { taskId } = execution.handle;
  const [runner = 0] = answered('tools/call');
  const [dying, other] = runner === 0 ? nodes : nodes.toReversed();
  tell('client', `Task ${taskId}, which ${nameOf(runner)} runs`);

  heading('The client asks how far the task is. Any node answers.');
  const seen: string[] = [];
  let killed = false;
  for await (const event of execution.updates(signal)) {
    const { statusMessage = '' } = taskViewFromExecutionEvent(event) ?? {};
    if (statusMessage === '' || statusMessage === seen.at(-1)) continue;
    seen.push(statusMessage);
    tell('client', `${statusMessage}. Answered by ${nameOf(answered('tasks/get').at(-1) ?? 0)}`);
    if (seen.length < SEEN || killed) continue;
    killed = true;
    heading(`kill -9 ${dying?.pid}: ${nameOf(runner)}, which runs the task. The other node continues.`);
    await dying?.kill();
  }
  const { outcome } = await execution.settle();
  await session.close();

  heading('The result.');
  checkThat(killed, 'The report was done before the kill');
  checkThat(new Set(answered('tasks/get')).size === 2, 'Only one node has shown the task');
  const { writers, attempt } = outcomeOfReport.parse(resultFromTaskOutcome<unknown>(outcome)).structuredContent;
  tell('client', `The report is done, ${writers.length} pages`);
  const kept = checkReport(writers, [dying?.pid, other?.pid]);
  checkThat(attempt >= 2, 'The task was begun once, and its node was killed');
  tell('demo', `One task from start to end: ${taskId}`);
  tell('demo', `Pages 1 to ${kept} by process ${dying?.pid}, pages ${kept + 1} to ${PAGES} by process ${other?.pid}`);
  tell('demo', 'No page was lost or doubled');
}

/**
 * @returns How many pages the first process wrote.
 * @throws Error unless the two, one after the other, wrote each page once.
 */
function checkReport(writers: readonly number[], [first, second]: readonly (number | undefined)[]): number {
  const kept = writers.filter((writer) => writer === first).length;
  checkThat(writers.length === PAGES, `The report has ${writers.length} pages, not ${PAGES}`);
  checkThat(kept >= SEEN, `Lost: the client saw ${SEEN} pages before the kill, and ${kept} are kept`);
  const expected = writers.map((_, page) => (page < kept ? first : second));
  checkThat(writers.join() === expected.join(), `The report was written by ${writers.join(', ')}`);
  return kept;
}
