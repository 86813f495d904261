import { beforeEach, expect, it } from 'vitest';
import { createTaskStore, type TaskStore } from '../src/index.ts';
import { backends } from './support/backends.ts';
import { alice, nodes, useBackend } from './support/nodes.ts';

beforeEach(() => useBackend(backends[0]));

type Method = 'create' | 'get' | 'update' | 'cancel' | 'claim' | 'watch';
type Call = (tasks: TaskStore, taskId: string, options: never) => Promise<unknown>;

const calls: Readonly<Record<Method, Call>> = {
  create: async (tasks, _, options) => tasks.create(options),
  get: async (tasks, taskId, options) => tasks.get(taskId, options),
  update: async (tasks, taskId, options) => tasks.update(taskId, {}, options),
  cancel: async (tasks, taskId, options) => tasks.cancel(taskId, options),
  claim: async (tasks, taskId, options) => tasks.claim(taskId, options),
  watch: async (tasks, taskId, options) => tasks.watch(taskId, options).next(),
};

it.each(Object.entries(calls))(
  'task rule 10: %s takes a principal that is undefined for a mistake',
  async (name, call) => {
    const { first, calls: made } = await nodes();
    const { taskId } = await first.tasks.create();
    made.length = 0;
    await expect(call(first.tasks, taskId, { principal: undefined } as never)).rejects.toThrow(
      new TypeError(`Option principal of ${name} is undefined; give null for nobody, or leave it out`),
    );
    expect(made).toEqual([]);
    // A task of nobody is everybody's, and said to be.
    for (const options of [{}, { principal: null }]) await call(first.tasks, taskId, options as never);
  },
);

it.each(Object.entries(calls))('%s refuses options that it does not know', async (name, call) => {
  const { first, calls: made } = await nodes();
  const { taskId } = await first.tasks.create(alice);
  made.length = 0;
  for (const [options, message] of [
    [{ user: 'alice' }, `Unknown option user of ${name}; did you mean principal?`],
    [{ owner: 'alice' }, `Unknown option owner of ${name}; did you mean principal?`],
    ['alice', `Options of ${name} are a string, not an object`],
    [null, `Options of ${name} are null, not an object`],
  ] as const) {
    await expect(call(first.tasks, taskId, options as never)).rejects.toThrow(new TypeError(message));
  }
  expect(made).toEqual([]);
});

it('the arguments of update in the wrong order, and a signal of another class, are refused', async () => {
  const { first } = await nodes();
  const { taskId } = await first.tasks.create(alice);
  await expect(first.tasks.update(taskId, alice, { name: 'Ada' } as never)).rejects.toThrow(
    'Unknown option name of update',
  );
  expect(() => first.tasks.watch(taskId, { ...alice, signal: new AbortController() as never })).toThrow(
    new TypeError('Option signal is an object of class AbortController, not an AbortSignal'),
  );
});

it('createTaskStore refuses runners and a bus that are none', async () => {
  const { store } = (await nodes()).first;
  const runner = async (): Promise<object> => ({});
  for (const [runners, what] of [
    [[runner], 'an array'],
    [new Map([['report', runner]]), 'an object of class Map'],
    [runner, 'a function'],
    ['report', 'a string'],
    [null, 'null'],
  ] as const) {
    expect(() => createTaskStore(store, { runners: runners as never })).toThrow(
      new TypeError(`Option runners is ${what}, not an object of functions by name`),
    );
  }
  for (const [report, what] of [
    [undefined, 'undefined'],
    [null, 'null'],
    [{ run: runner }, 'an object'],
  ] as const) {
    expect(() => createTaskStore(store, { runners: { runner, report: report as never } })).toThrow(
      new TypeError(`Option runners.report is ${what}, not a function`),
    );
  }
  for (const [bus, what] of [
    [null, 'null'],
    ['bus', 'a string'],
    [{ publish: runner }, 'an object'],
  ] as const) {
    expect(() => createTaskStore(store, { bus: bus as never })).toThrow(
      new TypeError(`Option bus is ${what}, not an event bus; pass what createStoreEventBus returns`),
    );
  }
});
