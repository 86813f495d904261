import { kindOf, texts, type SessionBackend } from '@mcp-session/core/backend';
import type { Case } from './case.ts';
import { requirements } from './requirements.ts';
import type { OpenStorage, SecondProcess, StoredRow, TestStorage } from './storage.ts';

// Mistakes in a test are a TypeError that says where. They are not findings about the backend.

/** Members, each with names that are mistaken for it. */
type Members<T> = Readonly<Record<keyof T, readonly string[]>>;

const STORAGE: Members<TestStorage> = {
  backend: ['store', 'database'],
  reopen: ['open', 'openAgain'],
  secondProcess: ['process', 'worker', 'child'],
  rows: ['readRows', 'allRows'],
  dispose: ['cleanup', 'teardown', 'remove', 'destroy', 'close'],
};

const SECOND_PROCESS: Members<SecondProcess> = {
  module: ['file', 'path', 'url'],
  argument: ['args', 'arguments', 'data'],
  execArgv: ['execArgs', 'nodeOptions'],
};

/** @throws TypeError */
export function checkCase(chosen: unknown): Case {
  const { id, run } = (chosen ?? {}) as Partial<Case>;
  if (typeof run === 'function' && typeof id === 'string' && Object.hasOwn(requirements, id)) return chosen as Case;
  throw new TypeError(`The case is ${kindOf(chosen)}, not one of cases; pick it there by its id`);
}

/** @throws TypeError */
export function checkOpen(open: unknown): OpenStorage {
  if (typeof open === 'function') return open as OpenStorage;
  throw new TypeError(`open is ${kindOf(open)}, not a function that returns new storage`);
}

/** @throws TypeError */
export function checkStorage(storage: unknown): TestStorage {
  if (!isObject(storage) || !('backend' in storage || 'reopen' in storage)) {
    throw new TypeError(`open returned ${kindOf(storage)}, not an object with backend and reopen`);
  }
  checkNames(storage, STORAGE, 'what open returned');
  const { backend, reopen, secondProcess, rows, dispose } = storage as Partial<TestStorage>;
  checkBackend(backend, 'Option backend of what open returned');
  for (const [name, value] of Object.entries({ reopen, rows, dispose })) {
    if (typeof value === 'function' || (value === undefined && name !== 'reopen')) continue;
    throw new TypeError(`Option ${name} of what open returned is ${kindOf(value)}, not a function`);
  }
  if (secondProcess !== undefined) checkSecondProcess(secondProcess);
  return storage as TestStorage;
}

/**
 * Closes the backend of storage that was refused, and removes the storage, as far as that works.
 */
export async function abandon(storage: unknown): Promise<void> {
  const { backend, dispose } = (storage ?? {}) as {
    // It can be a promise, by mistake.
    readonly backend?: Partial<SessionBackend> | Promise<Partial<SessionBackend>>;
    readonly dispose?: () => void | Promise<void>;
  };
  try {
    await (await backend)?.close?.();
  } catch {
    // Why the storage was refused says more.
  }
  try {
    await dispose?.call(storage);
  } catch {
    // As above.
  }
}

function isObject(value: unknown): value is object {
  return kindOf(value).startsWith('an object');
}

/**
 * Refuses a name that is mistaken for a member which is not there. The object may be of a class,
 * and have members of its own.
 */
function checkNames(object: object, members: Readonly<Record<string, readonly string[]>>, where: string): void {
  for (const [member, mistaken] of Object.entries(members)) {
    if ((object as Readonly<Record<string, unknown>>)[member] !== undefined) continue;
    const found = mistaken.find((name) => name in object);
    if (found !== undefined) throw new TypeError(`Unknown option ${found} of ${where}; did you mean ${member}?`);
  }
}

function checkSecondProcess(second: SecondProcess): void {
  if (!isObject(second)) throw new TypeError(`Option secondProcess is ${kindOf(second)}, not an object`);
  checkNames(second, SECOND_PROCESS, 'secondProcess');
  const { module } = second;
  if (typeof module !== 'string' && !(module instanceof URL)) {
    throw new TypeError(`Option module of secondProcess is ${kindOf(module)}, not a URL or a path`);
  }
  texts('secondProcess.execArgv', second.execArgv);
}

/** @param what Names the value, for the message. @throws TypeError */
export function checkBackend(backend: unknown, what: string): SessionBackend {
  const { capabilities, migrate, close } = (backend ?? {}) as Partial<SessionBackend>;
  if (typeof capabilities === 'object' && typeof migrate === 'function' && typeof close === 'function') {
    return backend as SessionBackend;
  }
  const kind = kindOf(backend);
  const remedy =
    kind === 'a promise' ? ': await it first' : '; give what a function such as createSqliteBackend returns';
  throw new TypeError(`${what} is ${kind}, not a backend${kind === 'undefined' ? '' : remedy}`);
}

/** @throws TypeError */
export function checkRows(rows: unknown): readonly StoredRow[] {
  if (!Array.isArray(rows)) throw new TypeError(`rows returned ${kindOf(rows)}, not an array`);
  for (const row of rows as readonly (Partial<StoredRow> | undefined)[]) {
    const { table, session, text } = row ?? {};
    const isRow = typeof table === 'string' && typeof text === 'string' && typeof (session ?? '') === 'string';
    if (!isRow || session === null) throw new TypeError('rows returned a row that is not { table, session, text }');
  }
  return rows as readonly StoredRow[];
}
