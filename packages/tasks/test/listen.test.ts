import { describe, expect, it, vi } from 'vitest';
import { TASKS_EXTENSION } from '../src/v2.ts';
import { backends } from './support/backends.ts';
import type { Answer } from './support/request.ts';
import { wireNodes } from './support/wire.ts';

const call = { name: 'report', arguments: {} };
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';

async function begin(send: Awaited<ReturnType<typeof wireNodes>>['send']): Promise<string> {
  const { result } = await send('tools/call', call, { name: 'report', node: 0 });
  return (result as { taskId: string }).taskId;
}

function paramsOf(message: Answer | void): Record<string, unknown> {
  return (message as { params: Record<string, unknown> }).params;
}

describe.each(backends)('%s', (...backend) => {
  it('task rule 11: a listener on one node learns of each change of a task that runs on another, as tasks/get shows it', async () => {
    const { send, listen, errors } = await wireNodes(backend);
    const taskId = await begin(send);
    const stream = await listen({ taskIds: [taskId, 'task_unknown', taskId] }, { node: 1 });
    expect((await stream.next()).value).toMatchObject({
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: { taskIds: [taskId] }, _meta: { [SUBSCRIPTION]: 1 } },
    });
    const heard: Record<string, unknown>[] = [];
    const hear = (async () => {
      for await (const message of stream) {
        expect(message).toMatchObject({ method: 'notifications/tasks', params: { taskId } });
        heard.push(paramsOf(message));
        if (heard.at(-1)?.['status'] === 'completed') return;
      }
    })();
    await vi.waitFor(() => expect(heard.at(-1)).toMatchObject({ status: 'input_required' }), { timeout: 20_000 });
    const asked = await send('tasks/get', { taskId }, { name: taskId });
    const { _meta, ...shown } = heard.at(-1) ?? {};
    expect(_meta).toEqual({ [SUBSCRIPTION]: 1 });
    expect(asked.result).toMatchObject(shown);
    const inputResponses = { name: { action: 'decline' } };
    expect(await send('tasks/update', { taskId, inputResponses }, { name: taskId, node: 1 })).toHaveProperty('result');
    await hear;
    expect(heard.at(-1)).toMatchObject({
      result: { resultType: 'complete', content: [{ text: '["all",{"action":"decline"}]' }] },
    });
    expect(errors).toEqual([]);
  });
});

describe.each(backends)('%s', (...backend) => {
  it('task rule 37: endAll ends the streams of its principal on every node, without a result, and those of nobody else', async () => {
    const { send, listen, nodes, errors } = await wireNodes(backend);
    const taskId = await begin(send);
    const { result } = await send('tools/call', call, { name: 'report', sub: 'bob' });
    const theirs = (result as { readonly taskId: string }).taskId;
    const streams = await Promise.all(
      ([0, 1] as const).flatMap((node) => [
        listen({ taskIds: [taskId] }, { node }),
        listen({ taskIds: [taskId], toolsListChanged: true }, { node }),
      ]),
    );
    const other = await listen({ taskIds: [theirs] }, { node: 1, sub: 'bob' });
    for (const stream of [...streams, other]) await stream.next();
    await nodes[0].handler.endAll({ principal: 'https://issuer|alice' });
    for (const stream of streams) {
      for await (const message of stream) expect(message).toHaveProperty('method', 'notifications/tasks');
    }
    await nodes[0].tasks.update(theirs, { name: { action: 'decline' } }, { principal: 'https://issuer|bob' });
    let last: unknown;
    for await (const { params } of other) {
      last = (params as { readonly status: string }).status;
      if (last === 'completed') break;
    }
    expect([last, errors]).toEqual(['completed', []]);
  });
});

const [, sqlite] = backends;
if (sqlite === undefined) throw new Error('There are backends');

it('task rule 11: a stranger’s listener learns nothing: foreign, unknown and malformed ids are left out', async () => {
  const { send, listen } = await wireNodes(sqlite);
  const taskId = await begin(send);
  const streams = [[taskId], ['task_AAAAAAAAAAAAAAAAAAAAAA'], ['', '__proto__', 'x'.repeat(10_000)]];
  for (const taskIds of streams) {
    const all: unknown[] = [];
    for await (const message of await listen({ taskIds }, { sub: 'mallory' })) all.push(message);
    expect(all).toMatchObject([
      { method: 'notifications/subscriptions/acknowledged', params: { notifications: {} } },
      { result: { resultType: 'complete' } },
    ]);
    expect(JSON.stringify(all)).not.toContain('task');
  }
});

it('task rule 1: a listener that does not declare the extension gets -32021, and no task ids but -32602', async () => {
  const { send, listen } = await wireNodes(sqlite);
  const taskId = await begin(send);
  const refused = async (notifications: object, sending?: object) =>
    (await (await listen(notifications, sending)).next()).value;
  expect(await refused({ taskIds: [taskId] }, { declares: false })).toMatchObject({
    id: 1,
    error: { code: -32_021, data: { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } } },
  });
  for (const taskIds of [taskId, 7, null, {}, [7], [null], [[taskId]], Array(101).fill(taskId)]) {
    expect(await refused({ taskIds })).toMatchObject({ error: { code: -32_602 } });
  }
});

it('a client that goes away without reading leaves no listener', async () => {
  const { send, open, nodes } = await wireNodes(sqlite);
  const taskId = await begin(send);
  const [{ listeners }] = nodes;
  const before = listeners();
  const { body } = await open('subscriptions/listen', { notifications: { taskIds: [taskId] } }, { node: 0 });
  await vi.waitFor(() => expect(listeners()).toBeGreaterThan(before), { timeout: 20_000 });
  await body?.cancel();
  await vi.waitFor(() => expect(listeners()).toBe(before), { timeout: 20_000 });
});

it('a stream for tasks and for lists carries both, and its end is that of the handler', async () => {
  const { send, listen, nodes } = await wireNodes(sqlite);
  const taskId = await begin(send);
  const [{ handler }] = nodes;
  const both = await listen({ taskIds: [taskId], toolsListChanged: true }, { node: 0 });
  const alone = await listen({ taskIds: [taskId] }, { node: 0 });
  expect(paramsOf((await both.next()).value)).toMatchObject({
    notifications: { taskIds: [taskId], toolsListChanged: true },
  });
  await alone.next();
  handler.notify.toolsChanged();
  await handler.close();
  const methods = new Set<unknown>();
  for await (const { method } of both) methods.add(method);
  expect(methods).toEqual(new Set(['notifications/tasks', 'notifications/tools/list_changed', undefined]));
  const rest: Answer[] = [];
  for await (const message of alone) rest.push(message);
  expect(rest.at(-1)).toMatchObject({ id: 1, result: { resultType: 'complete', _meta: { [SUBSCRIPTION]: 1 } } });
});
