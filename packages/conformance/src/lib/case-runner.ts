import type { SessionBackend } from '@mcp-session/core/backend';
import { randomUUID } from 'node:crypto';
import { HOUR, newSession, NOW } from './actions.ts';
import { BrokenPromiseError, isolatedCase, type Case, type CaseContext } from './case.ts';
import { abandon, checkBackend, checkCase, checkOpen, checkRows, checkStorage } from './checks.ts';
import { Finding, holds } from './findings.ts';
import { checkLeftovers } from './leftovers.ts';
import { localPeer, startPeer, type Peer, type ProcessPeer } from './peer.ts';
import type { OpenStorage, StoredRow, TestStorage } from './storage.ts';

const SECOND_PROCESS_MISSING =
  'the storage is shared or durable, but open() gives no secondProcess: add { module, argument }, where the module exports openBackend(argument)';

const ROWS_MISSING =
  'the storage is shared or durable, but open() returned no rows(), which shows everything that is stored';

/** How long a listing may lag behind writes before a case fails, in milliseconds. */
const LIST_LAG_MS = 2_000;

interface CaseRunnerOptions {
  /** How long a listing may lag behind writes, in milliseconds. Default: two seconds. */
  readonly listLagMs?: number;
  /** Whether backends are migrated when they are opened. Default: `true`. */
  readonly migrate?: boolean;
}

/**
 * Runs one case of the kit on new storage. Works with every test runner:
 *
 * ```ts
 * for (const chosen of cases) test(`${chosen.id}: ${chosen.title}`, () => runCase(chosen, open));
 * ```
 *
 * @throws BrokenPromiseError if the backend breaks a promise. TypeError for a mistake in the test.
 */
export async function runCase(chosen: Case, open: OpenStorage): Promise<void> {
  const broken = await findBrokenPromise(checkCase(chosen), open);
  if (broken !== undefined) throw broken;
}

/** Runs one case on new storage. @returns `undefined` if the backend keeps the promise. */
export async function findBrokenPromise(
  chosen: Case,
  open: OpenStorage,
  listLagMs: number = LIST_LAG_MS,
): Promise<BrokenPromiseError | undefined> {
  const runner = await CaseRunner.open(open, { listLagMs, migrate: chosen.storage !== 'unmigrated' });
  const broken =
    (await runner.attempt(chosen)) ?? (chosen.storage === 'own' ? await runner.attempt(leftoverCheck) : undefined);
  try {
    await runner.close();
  } catch (error) {
    // A broken promise says more than the failed close after it.
    return broken ?? new BrokenPromiseError('after the case', chosen, error);
  }
  return broken;
}

/** Holds for all storage at the end of a run: no row is left without its session. */
export const leftoverCheck: Case = isolatedCase('sweep.leftovers', 'at the end of the run', async (t) =>
  checkLeftovers(await t.rows()),
);

/**
 * Runs cases on one storage. Handles and processes are reused by later cases and closed at the end.
 */
export class CaseRunner {
  readonly #storage: TestStorage;
  readonly #handles: SessionBackend[];
  readonly #opened: SessionBackend[] = [];
  readonly #peers: ProcessPeer[] = [];
  readonly #killablePeers: ProcessPeer[] = [];
  readonly #options: Required<CaseRunnerOptions>;

  private constructor(storage: TestStorage, options: Required<CaseRunnerOptions>) {
    this.#storage = storage;
    this.#handles = [storage.backend];
    this.#options = options;
  }

  static async open(
    open: OpenStorage,
    { listLagMs = LIST_LAG_MS, migrate = true }: CaseRunnerOptions = {},
  ): Promise<CaseRunner> {
    const storage = await checkOpen(open)();
    try {
      checkStorage(storage);
    } catch (error) {
      await abandon(storage);
      throw error;
    }
    const runner = new CaseRunner(storage, { listLagMs, migrate });
    try {
      await runner.#migrate(runner.#storage.backend);
    } catch (error) {
      await runner.close();
      throw error;
    }
    return runner;
  }

  /** Runs a case. @returns `undefined` if the backend keeps the promise. */
  async attempt(chosen: Case): Promise<BrokenPromiseError | undefined> {
    try {
      await chosen.run(this.#context());
    } catch (error) {
      return new BrokenPromiseError(this.#storage.backend.name, chosen, error);
    }
    return undefined;
  }

  /**
   * Ends the processes, closes every backend and removes the storage, even if some of that fails.
   */
  async close(): Promise<void> {
    const ends = await Promise.allSettled([
      ...this.#peers.map((peer) => peer.stop()),
      ...this.#killablePeers.map((peer) => peer.kill()),
    ]);
    const closes = await Promise.allSettled([...this.#handles, ...this.#opened].map((backend) => backend.close()));
    await this.#storage.dispose?.();
    for (const end of [...ends, ...closes]) if (end.status === 'rejected') throw end.reason;
  }

  #context(): CaseContext {
    const { backend, secondProcess } = this.#storage;
    const space = randomUUID().slice(0, 13);
    let lastId = 0;
    const id = (label?: string): string => {
      lastId += 1;
      return `${space}-${label ?? `s${lastId}`}`;
    };
    return {
      backend,
      secondProcess,
      capabilities: backend.capabilities,
      kind: `kind-${space}`,
      listLagMs: this.#options.listLagMs,
      id,
      createLive: async (given = {}, now = NOW) => {
        const row = newSession(given.id ?? id(), { expiresAt: now + HOUR, ...given });
        holds(await backend.createSession(row, now), 'createSession of an id that was never used gave false');
        return row.id;
      },
      handles: (count) => this.#take(count),
      peers: (count) => this.#takePeers(count),
      killablePeer: () => this.#killablePeer(),
      rows: () => this.#rows(),
      reopen: () => this.#reopen(),
    };
  }

  async #rows(): Promise<readonly StoredRow[]> {
    const { shared, durable } = this.#storage.backend.capabilities;
    if (this.#storage.rows !== undefined) return checkRows(await this.#storage.rows());
    if (shared || durable) throw new Finding(ROWS_MISSING);
    return [];
  }

  async #reopen(list: SessionBackend[] = this.#opened): Promise<SessionBackend> {
    const backend = checkBackend(await this.#storage.reopen(), 'What reopen returned');
    list.push(backend);
    await this.#migrate(backend);
    return backend;
  }

  async #migrate(backend: SessionBackend): Promise<void> {
    if (this.#options.migrate) await backend.migrate();
  }

  async #take(count: number): Promise<readonly SessionBackend[]> {
    const { backend } = this.#storage;
    if (!backend.capabilities.shared) return Array.from({ length: count }, () => backend);
    while (this.#handles.length < count) await this.#reopen(this.#handles);
    return this.#handles.slice(0, count);
  }

  async #takePeers(count: number): Promise<readonly Peer[]> {
    const { backend } = this.#storage;
    if (!backend.capabilities.shared) return Array.from({ length: count }, () => localPeer(backend));
    const missing = Math.max(0, count - this.#peers.length);
    await Promise.all(Array.from({ length: missing }, () => this.#start(this.#peers)));
    return this.#peers.slice(0, count);
  }

  async #killablePeer(): Promise<ProcessPeer> {
    return this.#start(this.#killablePeers);
  }

  async #start(list: ProcessPeer[]): Promise<ProcessPeer> {
    const { secondProcess } = this.#storage;
    if (secondProcess === undefined) throw new Finding(SECOND_PROCESS_MISSING);
    const peer = await startPeer(secondProcess);
    list.push(peer);
    if (this.#options.migrate) await peer.call('migrate');
    return peer;
  }
}
