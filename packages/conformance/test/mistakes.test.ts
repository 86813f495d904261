import { cases, crashWriters, runCase, type CrashOptions, type OpenStorage } from '@mcp-session/conformance';
import { describeBackend } from '@mcp-session/conformance/vitest';
import { createMemoryBackend, createMemoryStore } from '@mcp-session/core/memory';
import { describe, expect, it } from 'vitest';
import { findBrokenPromise } from '../src/lib/case-runner.ts';
import { sequenceCase } from '../src/lib/generated/sequences.ts';
import { plant } from './support/plant.ts';
import { serveMemory } from './support/serve.ts';

const memory = () => ({ backend: createMemoryBackend(), reopen: () => createMemoryBackend() });
const [first] = cases;
const rowsCase = cases.find(({ id }) => id === 'sweep.leftovers');

describe('crashWriters', () => {
  it.each([
    [undefined, 'Options of crashWriters are undefined, not an object'],
    [{ kill: 50 }, 'Unknown option kill of crashWriters; did you mean kills?'],
    [{}, 'Option kills is not a number'],
    [{ kills: '5' }, 'Option kills is not a number'],
    [{ kills: Number.NaN }, 'Option kills is NaN, not a whole number from 1'],
    [{ kills: 0 }, 'Option kills is 0, not a whole number from 1'],
    [{ kills: 1.5 }, 'Option kills is 1.5, not a whole number from 1'],
  ])('refuses %j', async (options, message) => {
    await expect(crashWriters(serveMemory, options as CrashOptions)).rejects.toThrow(message);
  });

  it('refuses storage that is not durable, because no kill would prove anything', async () => {
    await expect(crashWriters(memory, { kills: 3 })).rejects.toThrow(
      new TypeError('crashWriters needs a backend whose capabilities say durable'),
    );
  });

  it('reports the kills that it has made', { timeout: 60_000 }, async () => {
    const { kills, acknowledged, events } = await crashWriters(serveMemory, { kills: 2 });
    expect(kills).toBe(2);
    expect(acknowledged).toBeGreaterThanOrEqual(4);
    expect(events).toBeGreaterThanOrEqual(3 * acknowledged);
  });
});

describe('a mistake in a test is a TypeError that says where', () => {
  it.each<{ chosen: unknown; message: string }>([
    { chosen: 'events.append.visible', message: 'The case is a string, not one of cases; pick it there by its id' },
    { chosen: undefined, message: 'The case is undefined, not one of cases' },
    { chosen: cases, message: 'The case is an array, not one of cases' },
    { chosen: memory, message: 'The case is a function, not one of cases' },
    { chosen: { ...first, id: 'events.append' }, message: 'The case is an object, not one of cases' },
  ])('the case: $message', async ({ chosen, message }) => {
    await expect(runCase(chosen as never, memory)).rejects.toThrow(TypeError);
    await expect(runCase(chosen as never, memory)).rejects.toThrow(message);
  });

  it.each<{ open: unknown; message: string }>([
    { open: memory(), message: 'open is an object, not a function that returns new storage' },
    { open: undefined, message: 'open is undefined, not a function' },
    { open: () => undefined, message: 'open returned undefined, not an object with backend and reopen' },
    {
      open: () => createMemoryBackend(),
      message: 'open returned an object of class MemoryBackend, not an object with backend',
    },
    {
      open: () => createMemoryStore(),
      message: 'open returned an object of class StoreHandle, not an object with backend',
    },
    { open: () => ({}), message: 'open returned an object, not an object with backend and reopen' },
    {
      open: () => ({ reopen: () => createMemoryBackend() }),
      message: 'Option backend of what open returned is undefined, not a backend',
    },
    {
      open: () => ({ store: createMemoryBackend(), reopen: () => createMemoryBackend() }),
      message: 'Unknown option store of what open returned; did you mean backend?',
    },
    {
      open: () => ({ ...memory(), backend: Promise.resolve() }),
      message: 'is a promise, not a backend: await it first',
    },
    {
      open: async () => ({ ...memory(), backend: await createMemoryStore() }),
      message:
        'Option backend of what open returned is an object of class StoreHandle, not a backend; give what a function',
    },
    {
      open: () => ({ ...memory(), cleanup: () => undefined }),
      message: 'Unknown option cleanup of what open returned; did you mean dispose?',
    },
    {
      open: () =>
        Object.assign(
          new (class Fixture {
            teardown(): void {}
          })(),
          memory(),
        ),
      message: 'Unknown option teardown of what open returned; did you mean dispose?',
    },
    {
      open: () => ({ backend: createMemoryBackend() }),
      message: 'Option reopen of what open returned is undefined, not a function',
    },
    {
      open: () => ({ ...memory(), dispose: 'x' }),
      message: 'Option dispose of what open returned is a string, not a function',
    },
    {
      open: () => ({ ...memory(), rows: [] }),
      message: 'Option rows of what open returned is an array, not a function',
    },
    {
      open: () => ({ ...memory(), secondProcess: './x.ts' }),
      message: 'Option secondProcess is a string, not an object',
    },
    {
      open: () => ({ ...memory(), secondProcess: { file: 'x' } }),
      message: 'Unknown option file of secondProcess; did you mean module?',
    },
    {
      open: () => ({ ...memory(), secondProcess: {} }),
      message: 'Option module of secondProcess is undefined, not a URL or a path',
    },
    {
      open: () => ({ ...memory(), secondProcess: { module: 'x', execArgv: 'x' } }),
      message: 'Option secondProcess.execArgv is a string',
    },
  ])('$message', async ({ open, message }) => {
    const running = runCase(first as never, open as OpenStorage);
    await expect(running).rejects.toThrow(TypeError);
    await expect(running).rejects.toThrow(message);
  });

  it.each<[string, (backend: unknown) => object]>([
    ['a missing reopen', (backend) => ({ backend })],
    ['rows of another type', (backend) => ({ backend, reopen: () => createMemoryBackend(), rows: [] })],
    ['a promise of a backend', (backend) => ({ backend: Promise.resolve(backend), reopen: () => backend })],
  ])('storage that is refused is closed and removed: %s', async (_, storage) => {
    const done: string[] = [];
    const open = () => {
      const backend = plant(createMemoryBackend(), () => ({
        close: async () => {
          done.push('close');
          throw new Error('not the error that says what is wrong');
        },
      }));
      return { ...storage(backend), dispose: () => done.push('dispose') };
    };

    await expect(runCase(first as never, open as never)).rejects.toThrow(TypeError);
    expect(done).toEqual(['close', 'dispose']);
  });

  it('describeBackend without a name, or without a function', () => {
    expect(() => describeBackend(memory as never, memory)).toThrow(
      new TypeError('The name of the backend is a function, not a string'),
    );
    expect(() => describeBackend('memory', memory() as never)).toThrow('open is an object, not a function');
  });

  it.each<[string, unknown, string]>([
    ['rows', () => undefined, 'rows returned undefined, not an array'],
    [
      'rows',
      () => [{ table: 'x', session: null, text: '' }],
      'rows returned a row that is not { table, session, text }',
    ],
    ['reopen', () => undefined, 'What reopen returned is undefined, not a backend'],
    [
      'reopen',
      async () => createMemoryStore(),
      'What reopen returned is an object of class StoreHandle, not a backend',
    ],
  ])('%s that return something else', async (name, wrong, message) => {
    const chosen = name === 'rows' ? rowsCase : cases.find(({ id }) => id === 'capabilities.durable');
    await expect(runCase(chosen as never, () => ({ ...memory(), [name]: wrong }))).rejects.toThrow(message);
  });

  it.each([
    ['no-exports', 'The module of secondProcess does not export a function openBackend'],
    ['no-backend', 'What openBackend returned is undefined, not a backend'],
  ])('a module of a second process: %s', { timeout: 60_000 }, async (_, message) => {
    const source = message.startsWith('What') ? 'export const openBackend = () => undefined' : 'export {}';
    const open = async () => {
      const storage = await serveMemory();
      const module = `data:text/javascript,${encodeURIComponent(source)}`;
      return { ...storage, secondProcess: { module, argument: undefined } };
    };
    const chosen = cases.find(({ id }) => id === 'capabilities.process');
    await expect(runCase(chosen as never, open)).rejects.toThrow(message);
  });
});

it('a backend that never answers is a finding that names the call', { timeout: 60_000 }, async () => {
  const open = () => {
    const backend = plant(createMemoryBackend(), () => ({ createSession: () => new Promise<never>(() => undefined) }));
    return { backend, reopen: () => createMemoryBackend() };
  };
  const broken = await findBrokenPromise(sequenceCase(50), open, 0);
  expect(broken?.message).toMatch(
    /memory: create had no answer within 50 ms\nseed: MCP_SESSION_CONFORMANCE_SEED=-?\d+$/,
  );
});
