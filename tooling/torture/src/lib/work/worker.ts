import type { Session, SessionStore } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { type Address, type Misbehaviour, openStore } from '../backends.ts';
import { HistoryWriter } from '../history.ts';
import { Random } from '../random.ts';
import { append, replay, tail, trim } from './events.ts';
import { Recorder } from './recorder.ts';
import { BRIEF_TTL_MS, type Pools, PRINCIPAL } from './sessions.ts';
import { compareAndSet, Own, patch, readPair, update, updateMetadata } from './state.ts';

/** Options of a worker, as JSON. */
export interface WorkerOptions extends Misbehaviour {
  readonly address: Address;
  readonly pools: Pools;
  readonly seed: string;
  /** The worker's slot. The replacement of a killed worker has the same one. */
  readonly slot: string;
  /** Unique in the run. */
  readonly name: string;
  /** File of its history. */
  readonly history: string;
  /** How many calls it makes at the same time. */
  readonly lanes: number;
  /** How many tails it has open. */
  readonly tails: number;
  /** Greatest size of an event, in bytes. */
  readonly largeEvent: number;
}

/** The newest numbers of the logs when all work has ended. The parent sends them to its workers. */
export type Drain = Readonly<Record<string, number>>;

const WEIGHTS = {
  append: 30,
  replay: 8,
  update: 15,
  compareAndSet: 8,
  patch: 8,
  readPair: 8,
  own: 10,
  updateMetadata: 4,
  touch: 2,
  get: 4,
  getForeign: 2,
  trim: 3,
  end: 1,
  create: 3,
  sweep: 2,
} as const;

/** How often each pool is chosen. */
const POOLS = { steady: 6, trimmed: 2, ended: 2 } as const;

/** Makes random calls until it gets the order to stop or is killed. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #store: SessionStore;
  readonly #recorder: Recorder;
  readonly #random: Random;
  readonly #own: Own;
  readonly #handles = new Map<string, Session>();
  readonly #known = new Map<string, string[]>();
  readonly #end = new AbortController();
  readonly #drained = Promise.withResolvers<Drain>();
  #draining = false;

  private constructor(options: WorkerOptions, store: SessionStore) {
    this.#options = options;
    this.#store = store;
    this.#recorder = new Recorder(new HistoryWriter(options.history), options.name);
    this.#random = new Random(`${options.seed} ${options.name}`);
    this.#own = new Own(options.slot);
  }

  static async start(options: WorkerOptions): Promise<Worker> {
    return new Worker(options, await openStore(options.address, options));
  }

  /** Works until {@link stop}; its tails continue until {@link drain}. */
  async work(): Promise<void> {
    const lanes = Array.from({ length: this.#options.lanes }, () => this.#lane());
    const tails = Array.from({ length: this.#options.tails }, () => this.#tail());
    await Promise.all(lanes);
    process.send?.('idle');
    await Promise.all(tails);
    await this.#store.close();
  }

  stop(): void {
    this.#end.abort();
  }

  drain(drain: Drain): void {
    this.#draining = true;
    this.#drained.resolve(drain);
  }

  async #lane(): Promise<void> {
    while (!this.#end.signal.aborted) {
      await this.#act(this.#random.weighted(WEIGHTS));
      // Pause, so that a store that fails at once is not called in a busy loop.
      await pause(this.#random.chance(0.1) ? this.#random.whole(1, 20) : 0);
    }
  }

  async #tail(): Promise<void> {
    const { steady, trimmed } = this.#options.pools;
    while (!this.#draining) {
      const id = this.#random.pick([...steady, ...trimmed]);
      const session = await this.#handle(id, false);
      if (session === undefined) {
        await pause(50);
        continue;
      }
      const drained = this.#drained.promise.then((drain) => drain[id] ?? 0);
      const short = this.#random.chance(0.5) ? AbortSignal.timeout(this.#random.whole(50, 1_500)) : undefined;
      const signal = short ?? new AbortController().signal;
      await tail(session, this.#random, this.#recorder, { known: this.#knownOf(id), drained, signal });
    }
  }

  async #act(name: keyof typeof WEIGHTS): Promise<void> {
    if (name === 'create') return this.#create();
    if (name === 'sweep') {
      await this.#recorder.call('sweep', '', () => this.#store.sweep());
      return;
    }
    const { pools } = this.#options;
    const pool = name === 'end' ? 'ended' : name === 'trim' ? 'trimmed' : this.#random.weighted(POOLS);
    const id = this.#random.pick(pools[pool]);
    if (name === 'getForeign') return this.#getForeign(id);
    const session = await this.#handle(id, name === 'get' || this.#random.chance(0.2));
    if (session !== undefined && name !== 'get') await this.#use(name, session);
  }

  async #use(
    name: Exclude<keyof typeof WEIGHTS, 'create' | 'sweep' | 'get' | 'getForeign'>,
    session: Session,
  ): Promise<void> {
    const recorder = this.#recorder;
    switch (name) {
      case 'append':
        return append(session, this.#random, recorder, this.#options.largeEvent);
      case 'replay':
        return replay(session, this.#random, recorder, this.#knownOf(session.id));
      case 'update':
        return update(session, recorder);
      case 'compareAndSet':
        return compareAndSet(session, recorder);
      case 'patch':
        return patch(session, recorder);
      case 'readPair':
        return readPair(session, recorder);
      case 'own':
        return this.#own.use(session, this.#random, recorder);
      case 'updateMetadata':
        return updateMetadata(session, recorder);
      case 'touch':
        await recorder.call('touch', session.id, () => session.touch());
        return;
      case 'trim':
        return trim(session, recorder);
      case 'end':
        await recorder.call('end', session.id, () => session.end());
    }
  }

  /** A session that is never used again, with data of each kind that a sweep must remove. */
  async #create(): Promise<void> {
    const session = await this.#recorder.call(
      'create',
      '',
      () => this.#store.create({ principal: PRINCIPAL, ttlMs: BRIEF_TTL_MS }),
      {},
      ({ id }) => id,
    );
    if (session === undefined) return;
    // It can expire in between.
    await session.events.append('brief', { text: 'left to the sweeps' }).catch(() => undefined);
    await session.state.set('brief', 1).catch(() => undefined);
    if (this.#random.chance(0.3)) await session.end().catch(() => undefined);
  }

  async #getForeign(id: string): Promise<void> {
    await this.#recorder.call(
      'getForeign',
      id,
      () => this.#store.get(id, { principal: 'a stranger' }),
      {},
      (session) => session !== undefined,
    );
  }

  /** A handle of the session: an old one or a new one. */
  async #handle(id: string, anew: boolean): Promise<Session | undefined> {
    const kept = anew ? undefined : this.#handles.get(id);
    if (kept !== undefined) return kept;
    const session = await this.#recorder.call(
      'get',
      id,
      () => this.#store.get(id, { principal: PRINCIPAL }),
      {},
      (found) => found !== undefined,
    );
    if (session !== undefined) this.#handles.set(id, session);
    return session;
  }

  #knownOf(id: string): string[] {
    const known = this.#known.get(id) ?? [];
    this.#known.set(id, known);
    return known;
  }
}
