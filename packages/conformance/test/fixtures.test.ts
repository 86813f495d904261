import { cases, runCase, type Case, type StoredRow, type TestStorage } from '@mcp-session/conformance';
import type { SchemaVersion, SessionBackend } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { expect, it } from 'vitest';
import { memoryRows } from './support/memory-rows.ts';
import { plant } from './support/plant.ts';

function caseOf(id: string): Case {
  const chosen = cases.find((each) => each.id === id);
  if (chosen === undefined) throw new Error(`There is no case ${id}`);
  return chosen;
}

const memory = () => ({ backend: createMemoryBackend(), reopen: () => createMemoryBackend() });

/** Its methods need `this`. */
class Fixture implements TestStorage {
  readonly backend = createMemoryBackend();
  readonly #calls: string[];

  constructor(calls: string[]) {
    this.#calls = calls;
  }

  reopen(): SessionBackend {
    this.#calls.push('reopen');
    return createMemoryBackend();
  }

  async rows(): Promise<readonly StoredRow[]> {
    this.#calls.push('rows');
    return memoryRows(this.backend);
  }

  dispose(): void {
    this.#calls.push('dispose');
  }
}

it.each([
  ['capabilities.durable', 'reopen'],
  ['sweep.leftovers', 'rows'],
])('open may return an object of a class: %s', async (id, method) => {
  const calls: string[] = [];
  await runCase(caseOf(id), () => new Fixture(calls));

  expect(calls).toContain(method);
  expect(calls.at(-1)).toBe('dispose');
});

it.each<[string, object]>([
  ['of its own', { path: '/tmp/x.db', database: 'x' }],
  ['with a name that is mistaken for another, which is there', { cleanup: () => undefined, dispose: () => undefined }],
])('open may return a member %s', async (_, more) => {
  await expect(runCase(caseOf('events.append.visible'), () => ({ ...memory(), ...more }))).resolves.toBeUndefined();
});

it('a schema version may have members of its own, which change', async () => {
  let [reads, made] = [0, false];
  const open = () => {
    const backend = plant(createMemoryBackend(), () => ({
      migrate: async () => {
        made = true;
      },
      readSchemaVersion: async () => {
        const version = { present: made ? 1 : 0, needed: 1, reads: ++reads };
        return version satisfies SchemaVersion;
      },
      createSession: async () => {
        throw new Error('There is no such table');
      },
    }));
    return { ...memory(), backend };
  };

  await expect(runCase(caseOf('lifecycle.version'), open)).resolves.toBeUndefined();
  expect(reads).toBe(3);
});
