import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createTaskStore, type TaskRunner } from '../src/index.ts';
import { backends } from './support/backends.ts';
import { failing, type Failing } from './support/failing.ts';
import { alice, ask, become, codeOf, nodes, SOON, take, useBackend } from './support/nodes.ts';

/** Longer than a machine can stall. */
const LEASE_MS = 1_000_000;

/** The codes of what was reported, in the order of their reports. */
const codes = (errors: readonly unknown[]): unknown[] =>
  errors.map((error) => (error as { readonly code?: unknown }).code ?? String(error));

describe.each(backends)('%s', (...backend) => {
  beforeEach(() => useBackend(backend));

  it('task rule 35: a runner that awaits no write has made all of them, in order, when its task ends', async () => {
    const how: Failing = { left: 0 };
    const report: TaskRunner = async (task) => {
      // The store fails for a while: the end of the runner must not overtake what waits.
      how.left = 2;
      void task.status('almost done');
      void task.saveCheckpoint(1);
      void task.status('done');
      return { content: [] };
    };
    const { first, second, clock, errors } = await nodes();
    const onError = (error: unknown): void => void errors.push(error);
    const options = { leaseMs: LEASE_MS, clock: () => clock.now, runners: { report }, onError };
    const tasks = createTaskStore(failing(first.store, how), options);
    const { taskId } = await tasks.create({ ...alice, runner: 'report' });
    await become(second.tasks, taskId, 'completed');
    expect(await second.tasks.get(taskId, alice)).toMatchObject({ statusMessage: 'done', result: { content: [] } });
    // The one report is of the store.
    expect(codes(errors)).toEqual(['STORE_UNAVAILABLE']);
  });

  it('task rule 35: a claimed task ends after the writes that nobody awaits, and so does its release', async () => {
    const { first, second, errors } = await nodes({ leaseMs: LEASE_MS });
    const { taskId } = await first.tasks.create(alice);
    const former = await take(first.tasks, taskId);
    void former.status('one');
    void former.saveCheckpoint('here');
    await former.release();
    const worker = await take(second.tasks, taskId);
    expect(worker.checkpoint).toBe('here');
    void worker.status('two');
    void worker.status('three');
    await worker.fail({ code: -32_000, message: 'No' });
    expect(await first.tasks.get(taskId, alice)).toMatchObject({ status: 'failed', error: { message: 'No' } });
    expect(errors).toEqual([]);
  });
});

describe('in memory', () => {
  beforeEach(() => useBackend(backends[0]));

  it('task rule 35: what nobody awaits and fails is reported, and ends no process', { timeout: 60_000 }, async () => {
    const node = fork(fileURLToPath(new URL('./support/careless-node.ts', import.meta.url)), {
      execArgv: ['--conditions=@mcp-session/source', '--no-warnings'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    onTestFinished(() => void node.kill('SIGKILL'));
    const said: unknown[] = [];
    node.on('message', (message) => void said.push(message));
    const [exitCode] = (await once(node, 'exit')) as [number | null];
    expect({ exitCode, said }).toEqual({
      exitCode: 0,
      said: [
        {
          shown: {
            progress: ['completed', 'done'],
            mistakes: ['completed', null],
            question: ['completed', null],
            failure: ['failed', 'No'],
            cancellation: ['cancelled', null],
          },
          errors: [
            'TypeError: Message of status is a number, not a string',
            'SessionError: Checkpoint of a task is what JSON cannot hold: an object of class Date; give its toISOString()',
            'TypeError: Requests of requireInput are a number, not an object of requests by key',
            'TypeError: Result of a task is a number, not an object',
            'TypeError: Error of fail is a number, not an error with a whole number as its code',
            'TaskError: Task has ended, or another worker has it',
            'TaskError: Task has ended, or another worker has it',
          ],
        },
      ],
    });
  });

  it('task rule 35: a failure is for who awaits it, and is then not reported', async () => {
    const { first, errors } = await nodes();
    const { taskId } = await first.tasks.create(alice);
    const worker = await take(first.tasks, taskId);
    const wrong = new Date() as never;
    const seen = [
      await codeOf(worker.saveCheckpoint(wrong)),
      await worker.saveCheckpoint(wrong).then(
        () => 'stored',
        () => 'refused',
      ),
      await Promise.allSettled([worker.saveCheckpoint(wrong)]).then(([{ status }]) => status),
      await worker.saveCheckpoint(wrong).catch(() => 'caught'),
    ];
    expect(seen).toEqual(['NOT_JSON', 'refused', 'rejected', 'caught']);
    void worker.saveCheckpoint(wrong);
    await vi.waitFor(() => expect(codes(errors)).toEqual(['NOT_JSON']), SOON);
  });

  it('task rule 35: what a client has cancelled is no failure to report', async () => {
    const asked = Promise.withResolvers<void>();
    const report: TaskRunner = async (task) => {
      void task.requireInput({ name: ask('Who?') });
      asked.resolve();
      await new Promise<void>((resolve) => task.signal.addEventListener('abort', () => resolve()));
      task.signal.throwIfAborted();
      return {};
    };
    const { first, second, errors } = await nodes({ leaseMs: LEASE_MS, runners: { report } });
    const { taskId } = await first.tasks.create({ ...alice, runner: 'report' });
    await asked.promise;
    await become(second.tasks, taskId, 'input_required');
    await second.tasks.cancel(taskId, alice);
    await become(second.tasks, taskId, 'cancelled');
    // A report would be made by now.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(errors).toEqual([]);
  });
});
