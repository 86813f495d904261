import { createMemoryStore } from '@mcp-session/core/memory';
import type { InputResponses as SdkInputResponses } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished } from 'vitest';
import { createTaskStore, type TaskStore } from '../src/index.ts';
import { ask } from './support/nodes.ts';

// The shape of `TaskStore` in an open pull request of SDK v2, written down from
// packages/server/src/ext/tasks/store.ts and wire/types.ts at commits 77b8573 and 1e182a5 of
// https://github.com/modelcontextprotocol/typescript-sdk/pull/2782. It may change before it is
// published; then this test uses the published type.
interface SdkTask {
  taskId: string;
  statusMessage?: string;
  createdAt: string;
  lastUpdatedAt: string;
  ttlMs: number | null;
  pollIntervalMs?: number;
}
type SdkRecord = Record<string, unknown>;
type SdkDetailedTask = SdkTask &
  (
    | { status: 'working' | 'cancelled' }
    | { status: 'input_required'; inputRequests: SdkRecord }
    | { status: 'completed'; result: SdkRecord }
    | { status: 'failed'; error: SdkRecord }
  );
interface SdkAccess {
  principal?: string;
}
interface SdkTaskStore {
  create(
    params: SdkAccess & { ttlMs: number | null; pollIntervalMs?: number; context?: SdkRecord },
  ): Promise<SdkTask & { status: SdkDetailedTask['status'] }>;
  get(taskId: string, access?: SdkAccess): Promise<SdkDetailedTask | undefined>;
  update(taskId: string, inputResponses: SdkInputResponses, access?: SdkAccess): Promise<boolean>;
  cancel(taskId: string, access?: SdkAccess): Promise<boolean>;
}

/**
 * What its extension passes for a request without a principal is `undefined`, which a task store
 * takes for a mistake. There it means nobody.
 */
function forSdk(tasks: TaskStore): SdkTaskStore {
  return {
    create: async (task) => tasks.create(task),
    get: async (id, { principal = null } = {}) => tasks.get(id, { principal }),
    update: async (id, answers, { principal = null } = {}) => tasks.update(id, answers, { principal }),
    cancel: async (id, { principal = null } = {}) => tasks.cancel(id, { principal }),
  };
}

it('task rule 18: a task store can be given to the tasks of the SDK that are proposed', async () => {
  const store = await createMemoryStore();
  onTestFinished(() => store.close());
  const tasks = createTaskStore(store);
  // The shape is the same; what the extension passes is not.
  expect(tasks satisfies SdkTaskStore).toBe(tasks);
  const given = forSdk(tasks);
  const alice = { principal: 'alice' };
  const { taskId } = await given.create({
    ttlMs: 60_000,
    pollIntervalMs: 5_000,
    ...alice,
    context: { tool: 'report' },
  });
  expect(await given.get(taskId, alice)).toMatchObject({ status: 'working', ttlMs: 60_000, pollIntervalMs: 5_000 });
  const nobody = { principal: undefined } as unknown as SdkAccess;
  for (const access of [nobody, undefined, { principal: 'bob' }]) {
    expect(await given.get(taskId, access)).toBeUndefined();
    expect(await given.update(taskId, {}, access)).toBe(false);
    expect(await given.cancel(taskId, access)).toBe(false);
  }
  const worker = await tasks.claim(taskId, alice);
  const answers = worker?.requireInput({ sure: ask('Sure?') });
  await expect.poll(async () => (await given.get(taskId, alice))?.status).toBe('input_required');
  expect(await given.update(taskId, { sure: { action: 'accept', content: {} } }, alice)).toBe(true);
  expect(await answers).toEqual({ sure: { action: 'accept', content: {} } });
  await worker?.complete({ content: [] });
  expect(await given.cancel(taskId, alice)).toBe(true);
  expect(await given.get(taskId, alice)).toMatchObject({ status: 'completed', result: { content: [] } });
  const anonymous = await given.create({ ttlMs: null });
  expect(await given.get(anonymous.taskId, nobody)).toMatchObject({ status: 'working', ttlMs: null });
  const broken = await given.create({ ttlMs: null, ...alice });
  await (await tasks.claim(broken.taskId, alice))?.fail({ code: -32_000, message: 'No' });
  const failed = await given.get(broken.taskId, alice);
  expect(failed?.status === 'failed' && failed.error).toEqual({ code: -32_000, message: 'No' });
  // The compiler cannot tell that this is no JSON.
  await expect(given.create({ ttlMs: null, context: { at: 1n } })).rejects.toMatchObject({ code: 'NOT_JSON' });
});
