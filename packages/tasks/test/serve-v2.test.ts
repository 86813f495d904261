import { expect, it, vi } from 'vitest';
import { TASKS_EXTENSION } from '../src/v2.ts';
import { backends } from './support/backends.ts';
import { wireNodes } from './support/wire.ts';

async function nodes() {
  const [, sqlite] = backends;
  if (sqlite === undefined) throw new Error('There are backends');
  return (await wireNodes(sqlite)).send;
}

it('a tool becomes a task that any node shows, asks through, and ends', async () => {
  const send = await nodes();
  const { result: discovered } = await send('server/discover', {});
  expect(discovered).toMatchObject({ capabilities: { extensions: { [TASKS_EXTENSION]: {} } } });

  const { result: created = {} } = await send('tools/call', { name: 'report', arguments: {} }, { name: 'report' });
  expect(created).toMatchObject({ resultType: 'task', status: 'working', pollIntervalMs: 50, ttlMs: 86_400_000 });
  const { taskId } = created as { taskId: string };
  const get = async () => (await send('tasks/get', { taskId }, { name: taskId })).result;
  await vi.waitFor(async () => expect(await get()).toMatchObject({ status: 'input_required' }), { timeout: 5_000 });
  expect(await get()).toMatchObject({
    resultType: 'complete',
    taskId,
    statusMessage: 'asking',
    inputRequests: { name: { method: 'elicitation/create' } },
  });
  const inputResponses = { name: { action: 'accept', content: { name: 'Ada' } }, other: { action: 'decline' } };
  expect((await send('tasks/update', { taskId, inputResponses }, { name: taskId })).result).toMatchObject({
    resultType: 'complete',
  });
  await vi.waitFor(async () => expect(await get()).toMatchObject({ status: 'completed' }), { timeout: 5_000 });
  expect(await get()).toMatchObject({
    result: { content: [{ text: JSON.stringify(['all', inputResponses.name]) }] },
  });
  expect((await send('tasks/cancel', { taskId }, { name: taskId })).result).toMatchObject({ resultType: 'complete' });
  expect(await get()).toMatchObject({ status: 'completed' });
});

it('a client that does not declare the extension gets the result at once, or -32021', async () => {
  const send = await nodes();
  const call = { name: 'report', arguments: {} };
  const plain = await send('tools/call', call, { declares: false, name: 'report' });
  expect(plain.result).toMatchObject({ content: [{ text: 'at once' }] });
  const missing = {
    error: { code: -32_021, data: { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } } },
  };
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
    expect(await send(method, { taskId: 'x', inputResponses: {} }, { declares: false, name: 'x' })).toMatchObject(
      missing,
    );
  }
});

it('a task that is unknown, malformed or foreign is -32602 in the same words, and no input is a 500', async () => {
  const send = await nodes();
  const { result = {} } = await send('tools/call', { name: 'report', arguments: {} }, { name: 'report' });
  const { taskId } = result as { taskId: string };
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
    for (const id of [taskId, `${taskId}A`, 'task_?', 'x', '__proto__', 'x'.repeat(100_000)]) {
      const answer = await send(
        method,
        { taskId: id, inputResponses: { a: {} } },
        { sub: 'mallory', name: id.slice(0, 100) === id ? id : '' },
      );
      if (id.length < 1_000) expect(answer).toMatchObject({ error: { code: -32_602, message: 'Task not found' } });
    }
    for (const params of [
      {},
      { taskId: 7 },
      { taskId: null },
      { taskId: [taskId] },
      { taskId, inputResponses: 7 },
      { taskId, inputResponses: ['a'] },
    ]) {
      // The SDK refuses a name in the header that is not that of the parameters.
      const answer = await send(method, params, { sub: 'mallory', name: 'x' });
      expect([-32_602, -32_020]).toContain((answer['error'] as { code: number }).code);
    }
  }
  expect((await send('tasks/get', { taskId }, { name: taskId })).result).toHaveProperty('taskId', taskId);
});
