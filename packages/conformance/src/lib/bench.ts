import type { SessionBackend } from '@mcp-session/core/backend';
import { randomUUID } from 'node:crypto';
import { HOUR, newSession, NOW } from './actions.ts';
import { BrokenPromiseError, defineFresh, type Case, type CaseContext } from './case.ts';
import { Finding, holds } from './findings.ts';
import { checkLeftovers } from './leftovers.ts';
import { localPeer, startPeer, type Peer, type ProcessPeer } from './peer.ts';
import type { OpenStorage, StoredRow, TestStorage } from './storage.ts';

const SECOND_PROCESS_MISSING =
  'the storage is shared or durable, but open() gives no secondProcess: add { module, argument }, where the module exports openBackend(argument)';

const ROWS_MISSING = 'the storage is shared or durable, but open() gives no rows(), which shows all that is stored';

export interface BenchOptions {
  /** How long a listing may lag behind writes, in milliseconds. */
  readonly listLagMs: number;
  /** Whether backends are migrated as they are opened. */
  readonly migrate: boolean;
}

/**
 * Runs one case on storage of its own.
 *
 * @returns What was broken; `undefined` where the promise was kept.
 */
export async function runCase(
  chosen: Case,
  open: OpenStorage,
  listLagMs: number,
): Promise<BrokenPromiseError | undefined> {
  const bench = await Bench.open(open, { listLagMs, migrate: chosen.storage !== 'unmigrated' });
  const broken =
    (await bench.attempt(chosen)) ?? (chosen.storage === 'own' ? await bench.attempt(leftoverCheck) : undefined);
  try {
    await bench.close();
  } catch (error) {
    // What was broken first says more than what could not be closed after it.
    return broken ?? new BrokenPromiseError('after the case', chosen, error);
  }
  return broken;
}

/** What holds of every storage whatever was done to it: no row is without its session. For the end of a run. */
export const leftoverCheck: Case = defineFresh('sweep.leftovers', 'at the end of the run', async (t) =>
  checkLeftovers(await t.rows()),
);

/** Storage with what cases open on it: handles and processes, which are kept for the next case and closed at the end. */
export class Bench {
  readonly #storage: TestStorage;
  readonly #handles: SessionBackend[];
  readonly #opened: SessionBackend[] = [];
  readonly #peers: ProcessPeer[] = [];
  readonly #victims: ProcessPeer[] = [];
  readonly #options: BenchOptions;

  private constructor(storage: TestStorage, options: BenchOptions) {
    this.#storage = storage;
    this.#handles = [storage.backend];
    this.#options = options;
  }

  static async open(open: OpenStorage, options: BenchOptions): Promise<Bench> {
    const bench = new Bench(await open(), options);
    try {
      await bench.#migrate(bench.#storage.backend);
    } catch (error) {
      await bench.close();
      throw error;
    }
    return bench;
  }

  /** Runs a case. @returns What was broken; `undefined` where the promise was kept. */
  async attempt(chosen: Case): Promise<BrokenPromiseError | undefined> {
    try {
      await chosen.run(this.#context());
    } catch (error) {
      return new BrokenPromiseError(this.#storage.backend.name, chosen, error);
    }
    return undefined;
  }

  /** Ends the processes, closes every backend and removes the storage, whatever fails on the way. */
  async close(): Promise<void> {
    const ends = await Promise.allSettled([
      ...this.#peers.map((peer) => peer.stop()),
      ...this.#victims.map((peer) => peer.kill()),
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
      live: async (given = {}, now = NOW) => {
        const row = newSession(given.id ?? id(), { expiresAt: now + HOUR, ...given });
        holds(await backend.createSession(row, now), 'createSession of an id that was never used gave false');
        return row.id;
      },
      handles: (count) => this.#take(count),
      peers: (count) => this.#takePeers(count),
      victim: () => this.#victim(),
      rows: () => this.#rows(),
      reopen: () => this.#reopen(),
    };
  }

  async #rows(): Promise<readonly StoredRow[]> {
    const { backend, rows } = this.#storage;
    const { shared, durable } = backend.capabilities;
    if (rows === undefined && (shared || durable)) throw new Finding(ROWS_MISSING);
    return (await rows?.()) ?? [];
  }

  async #reopen(): Promise<SessionBackend> {
    const backend = await this.#storage.reopen();
    this.#opened.push(backend);
    await this.#migrate(backend);
    return backend;
  }

  async #migrate(backend: SessionBackend): Promise<void> {
    if (this.#options.migrate) await backend.migrate();
  }

  async #take(count: number): Promise<readonly SessionBackend[]> {
    const { backend, reopen } = this.#storage;
    if (!backend.capabilities.shared) return Array.from({ length: count }, () => backend);
    while (this.#handles.length < count) {
      const handle = await reopen();
      this.#handles.push(handle);
      await this.#migrate(handle);
    }
    return this.#handles.slice(0, count);
  }

  async #takePeers(count: number): Promise<readonly Peer[]> {
    const { backend } = this.#storage;
    if (!backend.capabilities.shared) return Array.from({ length: count }, () => localPeer(backend));
    const missing = Math.max(0, count - this.#peers.length);
    await Promise.all(Array.from({ length: missing }, () => this.#start(this.#peers)));
    return this.#peers.slice(0, count);
  }

  async #victim(): Promise<ProcessPeer> {
    return this.#start(this.#victims);
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
