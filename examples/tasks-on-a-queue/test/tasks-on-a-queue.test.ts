import { createTestDatabase } from '@mcp-session-tooling/databases';
import type { TaskEnabledSession } from '@modelcontextprotocol/ext-tasks/client';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PgBoss } from 'pg-boss';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { z } from 'zod';
import { connect, follow } from '../src/client.ts';

const REVISION = '2026-07-28';
/** Who the client says that it is. */
const ADA = { headers: { 'x-user': 'ada' } };

type Program = 'server' | 'worker' | 'client';

/** A server or a worker, in a process of its own. */
interface Running {
  readonly child: ChildProcess;
  readonly lines: readonly string[];
}

let databaseUrl = '';
let url = '';
let session: TaskEnabledSession;
const ends: (() => Promise<unknown>)[] = [];

function fileOf(name: Program): string {
  return fileURLToPath(new URL(`../src/${name}.ts`, import.meta.url));
}

/** Starts a process. Resolves with it when it has printed its first line. */
async function start(name: Program, ...args: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, ['--conditions=@mcp-session/source', fileOf(name), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, DATABASE_URL: databaseUrl },
  });
  const ended = once(child, 'close');
  ends.push(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await once(output, 'line');
  return { child, lines };
}

beforeAll(async () => {
  const database = await createTestDatabase(inject('postgres').url);
  databaseUrl = database.url;
  ends.push(database.dispose);
  const server = await start('server', '0');
  url = /listens on (\S+)$/.exec(server.lines[0] ?? '')?.[1] ?? '';
  session = await connect(url);
  ends.push(() => session.close());
});

afterAll(async () => {
  for (const end of ends.toReversed()) await end();
});

/** The queue of the servers and workers. */
async function queue(): Promise<PgBoss> {
  const boss = await new PgBoss({
    connectionString: databaseUrl,
    schema: 'tasks_on_a_queue',
    supervise: false,
  }).start();
  ends.push(() => boss.stop());
  return boss;
}

/** The notifications of a task that a client gets, until it is final. */
async function listen(taskId: string): Promise<{ readonly heard: Promise<readonly Record<string, unknown>[]> }> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': REVISION,
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': { extensions: { 'io.modelcontextprotocol/tasks': {} } },
  };
  const method = 'subscriptions/listen';
  const { body } = await fetch(url, {
    method: 'POST',
    headers: {
      ...ADA.headers,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': REVISION,
      'mcp-method': method,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { notifications: { taskIds: [taskId] }, _meta } }),
  });
  const heard = async (): Promise<readonly Record<string, unknown>[]> => {
    const tasks: Record<string, unknown>[] = [];
    let text = '';
    for await (const chunk of (body ?? new ReadableStream<Uint8Array>()).pipeThrough(new TextDecoderStream())) {
      const frames = (text + chunk).split('\n\n');
      text = frames.pop() ?? '';
      for (const frame of frames) {
        const message: unknown = JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? '{}');
        const { data } = notification.safeParse(message);
        if (data !== undefined) tasks.push(data.params);
      }
      if (['completed', 'failed', 'cancelled'].includes(String(tasks.at(-1)?.['status']))) break;
    }
    return tasks;
  };
  return { heard: heard() };
}

const notification = z.object({ method: z.literal('notifications/tasks'), params: z.looseObject({}) });
const RESULT = z.object({ content: z.tuple([z.object({ text: z.string() })]) });
const REPORT = z.object({ writers: z.array(z.number()), attempt: z.number() });

it('a report is written by a worker, goes on elsewhere when that one is killed, and its client hears it all', async () => {
  const killed = await start('worker');
  const execution = await session.callTool('report', { pages: 30, pageMs: 200 }, ADA);
  const taskId = execution.handle?.taskId ?? '';
  const { heard } = await listen(taskId);
  const statuses: string[] = [];
  const result = follow(execution, (status) => statuses.push(status));
  await vi.waitFor(() => expect(killed.lines).toContain('Page 2 of 30'), { timeout: 30_000, interval: 10 });
  killed.child.kill('SIGKILL');
  const other = await start('worker');

  const tasks = await heard;
  expect(tasks.at(-1)).toMatchObject({ taskId, status: 'completed' });
  const { content } = RESULT.parse(await result);
  expect(statuses.at(-1)).toBe('Page 30 of 30');
  const { writers, attempt } = REPORT.parse(JSON.parse(content[0].text));
  expect(attempt).toBeGreaterThanOrEqual(2);
  const handover = writers.indexOf(other.child.pid ?? 0);
  expect(handover).toBeGreaterThanOrEqual(2);
  expect(writers).toEqual(Array.from({ length: 30 }, (_, page) => (page < handover ? killed : other).child.pid));
  // Changes that follow each other fast may become one, but behind the kill there is a pause.
  const pages = tasks.map(({ statusMessage = '' }) => Number(/^Page (\d+) of 30$/.exec(String(statusMessage))?.[1]));
  expect(pages.some((page) => page >= 2 && page <= handover)).toBe(true);
  expect(pages.at(-1)).toBe(30);
});

it('a report that is cancelled stops, and one that the queue gives up fails', async () => {
  // The worker of the test before writes this one, so that the next one waits.
  const long = await session.callTool('report', { pages: 100, pageMs: 1_000 }, ADA);
  const shown = session.task((long.handle?.taskId ?? '') as never, ADA);
  await vi.waitFor(async () => expect(await shown.snapshot()).toHaveProperty('statusMessage'), { timeout: 30_000 });
  const hopeless = await session.callTool('report', { pages: 1, pageMs: 1 }, ADA);
  const boss = await queue();
  await boss.send('reports-given-up', { taskId: hopeless.handle?.taskId, principal: 'ada' });
  expect((await hopeless.settle()).outcome).toMatchObject({
    status: 'failed',
    error: { message: 'The report cannot be written' },
  });

  await long.cancel();
  expect((await long.settle()).outcome).toMatchObject({ status: 'cancelled' });
  // Its job is done, and so is the one whose task has failed.
  await vi.waitFor(
    async () => {
      const jobs = await boss.findJobs('reports');
      expect(jobs.map(({ state }) => state)).toEqual(['completed', 'completed', 'completed']);
    },
    { timeout: 30_000, interval: 100 },
  );
});

it('while a slow worker keeps its task, the waits between the retries of the queue double', async () => {
  const long = await session.callTool('report', { pages: 100, pageMs: 1_000 }, ADA);
  const taskId = long.handle?.taskId ?? '';
  const shown = session.task(taskId as never, ADA);
  await vi.waitFor(async () => expect(await shown.snapshot()).toHaveProperty('statusMessage'), { timeout: 30_000 });
  const boss = await queue();
  // What the queue does when it misses the heartbeat: another worker gets the job.
  await start('worker');
  const id = await boss.send('reports', { taskId, principal: 'ada' });
  const waits = new Map<number, number>();
  await vi.waitFor(
    async () => {
      const job = (await boss.findJobs('reports')).find((each) => each.id === id);
      if (job?.state === 'retry') {
        waits.set(job.retryCount, (job.startAfter.getTime() - job.startedOn.getTime()) / 1_000);
      }
      expect([...waits.keys()]).toContain(2);
    },
    { timeout: 40_000, interval: 100 },
  );
  // From half of 2, 4 and 8 seconds on. The retries of a fixed delay wait one second.
  for (const [retries, seconds] of waits) expect(seconds).toBeGreaterThanOrEqual(2 ** retries);
  await boss.deleteJob('reports', id ?? '');
  await long.cancel();
  expect((await long.settle()).outcome).toMatchObject({ status: 'cancelled' });
});

it.each<[Program, readonly string[], Record<string, string>, string]>([
  ['worker', [], {}, 'Set DATABASE_URL to a PostgreSQL database'],
  ['worker', [], { DATABASE_URL: 'postgres://me:secret@127.0.0.1:1/none' }, 'Session store cannot be reached'],
  ['client', ['http://127.0.0.1:1/mcp'], {}, 'No server answers at http://127.0.0.1:1/mcp: '],
])('a %s %j with %j says what is wrong in one line', (program, args, env, message) => {
  const { DATABASE_URL: _, ...rest } = process.env;
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--conditions=@mcp-session/source', fileOf(program), ...args],
    { env: { ...rest, ...env }, encoding: 'utf8' },
  );
  expect([status, stderr.trimEnd().split('\n')]).toEqual([1, [expect.stringContaining(message)]]);
  expect(stderr).not.toContain('secret');
});
