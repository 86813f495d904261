import { expect, it, vi } from 'vitest';
import { createV1Tasks } from '../src/v1.ts';
import { alice, ask, codeOf, SOON, take } from './support/nodes.ts';
import type { Answer } from './support/request.ts';
import { v1Wire } from './support/wire-v1.ts';

const RELATED = 'io.modelcontextprotocol/related-task';
const ISO = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;

const runners = {
  waits: async ({ signal }: { readonly signal: AbortSignal }) =>
    new Promise<object>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
};

/** The message of a stream, without what the transport has added. */
async function next(stream: AsyncGenerator<Answer, void>): Promise<Answer> {
  const { value } = await stream.next();
  if (value === undefined) throw new Error('The stream has ended');
  return value;
}

const invalid = { error: { code: -32_602 } };

it('task rule 20: the server declares tasks of tools and their cancellation, and a list for a session with a principal', async () => {
  const { begun, send } = await v1Wire(runners);
  const always = { cancel: {}, requests: { tools: { call: {} } } };
  expect((await begun()).result).toHaveProperty('capabilities.tasks', { ...always, list: {} });
  expect((await begun(null)).result).toHaveProperty('capabilities.tasks', always);
  expect((await send('tools/list')).result).toMatchObject({ tools: [{ execution: { taskSupport: 'required' } }] });
});

it('task rules 21 and 22: a call is answered by its task, which every node shows, until its ttl is over', async () => {
  const { send, clock } = await v1Wire(runners);
  const call = { name: 'waits', arguments: {}, task: { ttl: 10_000 } };
  const { task } = (await send('tools/call', call)).result as { readonly task: { readonly taskId: string } };
  const { taskId } = task;
  const shown = {
    taskId: expect.stringMatching(/^task_[A-Za-z0-9_-]{22}$/) as string,
    status: 'working',
    createdAt: ISO,
    lastUpdatedAt: ISO,
    ttl: 10_000,
    pollInterval: 3_600_000,
  };
  expect(task).toEqual(shown);
  clock.now += 9_999;
  for (const node of [0, 1] as const) {
    expect((await send('tasks/get', { taskId }, { node })).result).toEqual(shown);
    expect((await send('tasks/list', {}, { node })).result).toHaveProperty('tasks', [shown]);
  }
  clock.now += 1;
  for (const method of ['tasks/get', 'tasks/cancel', 'tasks/result']) {
    expect(await send(method, { taskId })).toMatchObject(invalid);
  }
  expect((await send('tasks/list')).result).toHaveProperty('tasks', []);
});

it('task rules 23 and 24: a cancel is heard at once on every node, and a final task stays what it is', async () => {
  const { send, open, tasks, store } = await v1Wire(runners);
  const { taskId } = await tasks[0].create(alice);
  const worker = await take(tasks[0], taskId);
  const waiting = next(await open('tasks/result', { taskId }, { node: 1 }));
  expect((await send('tasks/cancel', { taskId }, { node: 1 })).result).toMatchObject({ taskId, status: 'cancelled' });
  expect((await send('tasks/get', { taskId }, { node: 0 })).result).toMatchObject({ status: 'cancelled' });
  expect(await waiting).toMatchObject(invalid);
  await vi.waitFor(() => expect(worker.signal.reason).toMatchObject({ code: 'TASK_CANCELLED' }), SOON);
  expect(await codeOf(worker.complete({ content: [] }))).toBe('TASK_LOST');

  const other = await tasks[0].create(alice);
  await (await take(tasks[0], other.taskId)).complete({ content: [] });
  for (const [id, status] of [
    [taskId, 'cancelled'],
    [other.taskId, 'completed'],
  ] as const) {
    expect(await send('tasks/cancel', { taskId: id })).toMatchObject(invalid);
    // A cancellation that comes after it has ended changes nothing either.
    await createV1Tasks(store, tasks[0], alice).options.taskStore.updateTaskStatus(id, 'cancelled', 'late');
    const { result } = await send('tasks/get', { taskId: id });
    expect(result).toMatchObject({ status });
    expect(result).not.toHaveProperty('statusMessage', 'late');
  }
});

it('task rules 25 and 26: tasks/result waits for the end on any node, and is what the call would have got', async () => {
  const { send, open, tasks } = await v1Wire(runners);
  const large = 'x'.repeat(100_000);
  const ends = [
    ['completed', { content: [{ type: 'text', text: 'done' }], _meta: { own: 1 } }],
    ['failed', { content: [{ type: 'text', text: 'Disk is full' }], isError: true }],
    ['failed', { content: [{ type: 'text', text: large }], isError: true }],
    ['completed', { content: [{ type: 'text', text: large }] }],
    ['failed', { code: -32_000, message: 'No', data: { why: 'x' } }],
  ] as const;
  const statuses: Record<string, string> = {};
  for (const [status, end] of ends) {
    const { taskId } = await tasks[0].create(alice);
    const worker = await take(tasks[0], taskId);
    const waiting = next(await open('tasks/result', { taskId }, { node: 1 }));
    await ('code' in end ? worker.fail(end) : worker.complete(end));
    const answer = 'code' in end ? { error: end } : { result: { ...end, _meta: { ...('_meta' in end && end._meta) } } };
    // As it is when its waiter is woken, and as it is when it is asked later.
    for (const got of [await waiting, await next(await open('tasks/result', { taskId }, { node: 1 }))]) {
      expect(got).toMatchObject(answer);
    }
    expect((await send('tasks/get', { taskId })).result).toMatchObject({ status });
    statuses[taskId] = status;
  }
  const listed = (await send('tasks/list')).result as { readonly tasks: { taskId: string; status: string }[] };
  expect(Object.fromEntries(listed.tasks.map(({ taskId, status }) => [taskId, status]))).toEqual(statuses);
});

it('task rules 28 and 29: a question goes on each stream of tasks/result, with its task, and the first answer counts', async () => {
  const { send, open, reply, tasks } = await v1Wire(runners);
  const { taskId } = await tasks[0].create(alice);
  const worker = await take(tasks[0], taskId);
  const meta = { [RELATED]: { taskId } };
  // What a request says of its task in its `_meta` is ignored.
  const lie = { _meta: { [RELATED]: { taskId: 'task_AAAAAAAAAAAAAAAAAAAAAA' } } };
  const here = await open('tasks/result', { taskId }, { node: 0 });
  const there = await open('tasks/result', { taskId, ...lie }, { node: 1 });
  const answers = worker.requireInput({ name: ask('Who?') });
  const [asked, askedThere] = [await next(here), await next(there)];
  const params = { message: 'Who?', _meta: meta };
  for (const each of [asked, askedThere]) expect(each).toMatchObject({ method: 'elicitation/create', params });
  const { result } = await send('tasks/get', { taskId, ...lie });
  expect(result).toMatchObject({ taskId, status: 'input_required' });
  await reply(askedThere['id'], { action: 'accept', content: { name: 'Ada' } }, { node: 0 });
  expect(await answers).toEqual({ name: { action: 'accept', content: { name: 'Ada' } } });
  await reply(asked['id'], { action: 'decline' }, { node: 1 });
  expect((await send('tasks/get', { taskId })).result).toMatchObject({ status: 'working' });
  await worker.complete({ content: [] });
  for (const stream of [here, there]) expect((await next(stream)).result).toEqual({ content: [], _meta: meta });
  for (const [method, given] of [
    ['tasks/get', { taskId, ...lie }],
    ['tasks/list', {}],
  ] as const) {
    expect(JSON.stringify(await send(method, given))).not.toContain(RELATED);
  }
  const { taskId: another } = await tasks[0].create(alice);
  const cancelled = (await send('tasks/cancel', { taskId: another, ...lie })).result;
  expect(cancelled).toMatchObject({ taskId: another, status: 'cancelled' });
  expect(JSON.stringify(cancelled)).not.toContain(RELATED);
});

it('task rule 30: a task that is unknown, malformed or foreign is the same to a stranger, and to a client without a principal', async () => {
  const { send, tasks, errors } = await v1Wire(runners);
  const { taskId } = await tasks[0].create({ ...alice });
  const ids = [taskId, 'task_AAAAAAAAAAAAAAAAAAAAAA', `${taskId}A`, 'task_?', '__proto__', '', 'x'.repeat(10_000)];
  for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
    for (const user of ['mallory', null]) {
      const heard = new Set<string>();
      for (const id of ids) {
        const { error } = await send(method, { taskId: id }, { user });
        // SDK v1 says the id that was asked for.
        heard.add(
          JSON.stringify(error)
            .replaceAll(id === '' ? '\0' : id, '')
            .replace(/: ?"/, '"'),
        );
        expect(error).toMatchObject({ code: -32_602 });
      }
      expect([...heard]).toHaveLength(1);
    }
  }
  expect((await send('tasks/get', { taskId })).result).toMatchObject({ status: 'working' });
  expect(errors).toEqual([]);
});

it('task rules 30 and 31: tasks/list has all tasks of its principal and no other, page by page', async () => {
  const { send, tasks } = await v1Wire(runners);
  const made = await Promise.all(Array.from({ length: 150 }, async () => tasks[0].create(alice)));
  await tasks[0].create({ principal: 'bob' });
  await tasks[0].create();
  const found: string[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const { result } = await send('tasks/list', cursor === undefined ? undefined : { cursor });
    const page = result as { readonly tasks: { readonly taskId: string }[]; readonly nextCursor?: string };
    found.push(...page.tasks.map(({ taskId }) => taskId));
    cursor = page.nextCursor;
    pages += 1;
  } while (cursor !== undefined && pages < 5);
  expect(pages).toBe(2);
  expect(found.toSorted()).toEqual(made.map(({ taskId }) => taskId).toSorted());
  for (const user of ['mallory', null]) {
    expect((await send('tasks/list', {}, { user })).result).toHaveProperty('tasks', []);
  }
  expect(await send('tasks/list', { cursor: 'not one' })).toMatchObject(invalid);
});

it('task rule 31: tasks/list skips the sessions of the kind task that an application has made', async () => {
  const { send, tasks, store } = await v1Wire(runners);
  for (const metadata of [{}, { status: 'working' }, { status: 'open', updatedAt: 'today', takenSeq: 1 }]) {
    await store.create({ ...alice, kind: 'task', metadata });
  }
  const { taskId } = await tasks[0].create(alice);
  const { result } = await send('tasks/list');
  expect(result).toHaveProperty('tasks', [expect.objectContaining({ taskId })]);
});

it('task rule 32: parameters that do not fit are refused with -32602', async () => {
  const { send, errors } = await v1Wire(runners);
  const requests: [method: string, params: unknown][] = [];
  for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
    for (const params of [undefined, {}, ...[7, null, [], {}].map((taskId) => ({ taskId }))]) {
      requests.push([method, params]);
    }
  }
  for (const cursor of [7, null, [], {}]) requests.push(['tasks/list', { cursor }]);
  for (const task of [7, 'x', [1], { ttl: 'x' }, { ttl: -1 }, { ttl: 0 }, { ttl: 1.5 }, { ttl: {} }]) {
    requests.push(['tools/call', { name: 'waits', arguments: {}, task }]);
  }
  for (const [method, params] of requests) {
    const { error } = await send(method, params);
    expect([method, params, (error as { readonly code?: number } | undefined)?.code]).toEqual([
      method,
      params,
      -32_602,
    ]);
  }
  expect(errors).toEqual([]);
});
