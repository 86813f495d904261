import type { SessionBackend } from '../contract/backend.ts';
import type { Capabilities } from '../contract/capabilities.ts';
import type * as rows from '../contract/rows.ts';
import { SessionError } from '../errors.ts';
import { EventLoopBudget } from './event-loop-budget.ts';
import type { Gate } from './gate.ts';
import { notify, type Observer, type OperationName } from './observer.ts';

/**
 * A backend as core calls it. Refuses after the gate has closed, counts the calls in progress,
 * shares the event loop with others, tells the observer, and throws nothing but a {@link
 * SessionError}.
 */
export class ObservedBackend implements SessionBackend {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly readChangeMarker?: () => number;
  readonly watch?: (onHint: (sessionId: string) => void) => Promise<() => Promise<void>>;
  readonly identifyProcess?: () => Promise<string | undefined>;
  readonly findEndedProcesses?: (processes: readonly string[]) => Promise<ReadonlySet<string>>;
  /** The same backend for the calls of work that began before: it refuses nothing. */
  readonly begun: SessionBackend;
  readonly #backend: SessionBackend;
  readonly #gate: Gate;
  readonly #observer: Observer | undefined;
  readonly #budget: EventLoopBudget;
  readonly #refuses: boolean;

  constructor(backend: SessionBackend, gate: Gate, observer: Observer | undefined, budget?: EventLoopBudget) {
    this.name = backend.name;
    this.capabilities = backend.capabilities;
    this.#backend = backend;
    this.#gate = gate;
    this.#observer = observer;
    this.#refuses = budget === undefined;
    this.#budget = budget ?? new EventLoopBudget();
    this.begun = budget === undefined ? new ObservedBackend(backend, gate, observer, this.#budget) : this;
    if (backend.readChangeMarker !== undefined) this.readChangeMarker = () => this.#readChangeMarker();
    if (backend.watch !== undefined) {
      this.watch = (onHint) => this.#call('watch', async () => (await backend.watch?.(onHint)) ?? stopNothing);
    }
    if (backend.identifyProcess !== undefined) {
      this.identifyProcess = () => this.#call('identifyProcess', async () => backend.identifyProcess?.());
    }
    if (backend.findEndedProcesses !== undefined) {
      this.findEndedProcesses = (processes) =>
        this.#call('findEndedProcesses', async () => (await backend.findEndedProcesses?.(processes)) ?? new Set());
    }
  }

  createSession(session: rows.NewSession, now: number): Promise<boolean> {
    return this.#call('createSession', () => this.#backend.createSession(session, now));
  }

  readSession(id: string, now: number, asker?: rows.SessionAsker): Promise<rows.SessionRow | undefined> {
    return this.#call('readSession', () => this.#backend.readSession(id, now, asker));
  }

  updateSession(id: string, change: rows.SessionChange, now: number): Promise<rows.ChangeResult | undefined> {
    return this.#call('updateSession', () => this.#backend.updateSession(id, change, now));
  }

  touchSession(id: string, expiresAt: number, now: number): Promise<boolean> {
    return this.#call('touchSession', () => this.#backend.touchSession(id, expiresAt, now));
  }

  endSession(id: string, purgeAt: number, now: number): Promise<boolean> {
    return this.#call('endSession', () => this.#backend.endSession(id, purgeAt, now));
  }

  listSessions(query: rows.SessionPageQuery, now: number): Promise<rows.SessionPage> {
    return this.#call('listSessions', () => this.#backend.listSessions(query, now));
  }

  countSessions(query: rows.SessionQuery, now: number): Promise<number> {
    return this.#call('countSessions', () => this.#backend.countSessions(query, now));
  }

  countKinds(now: number): Promise<ReadonlyMap<string, number>> {
    return this.#call('countKinds', () => this.#backend.countKinds(now));
  }

  sweep(limit: number, now: number): Promise<rows.SweepResult> {
    return this.#call('sweep', () => this.#backend.sweep(limit, now), removedBy);
  }

  readState(
    sessionId: string,
    keys: readonly string[] | undefined,
    now: number,
  ): Promise<readonly rows.StateRow[] | undefined> {
    return this.#call('readState', () => this.#backend.readState(sessionId, keys, now));
  }

  commitState(commit: rows.StateCommit, now: number): Promise<rows.StateResult | undefined> {
    return this.#call('commitState', () => this.#backend.commitState(commit, now));
  }

  clearState(sessionId: string, expiresAt: number | undefined, now: number): Promise<number | undefined> {
    return this.#call('clearState', () => this.#backend.clearState(sessionId, expiresAt, now));
  }

  appendEvents(batch: readonly rows.AppendRequest[], now: number): Promise<readonly rows.AppendOutcome[]> {
    const size = this.#observer === undefined ? undefined : eventsIn(batch);
    return this.#call('appendEvents', () => this.#backend.appendEvents(batch, now), size);
  }

  readEvents(query: rows.EventQuery, now: number): Promise<rows.EventPage | undefined> {
    return this.#call('readEvents', () => this.#backend.readEvents(query, now));
  }

  trimEvents(sessionId: string, bound: rows.TrimBound, now: number): Promise<number | undefined> {
    return this.#call('trimEvents', () => this.#backend.trimEvents(sessionId, bound, now));
  }

  readHeads(ids: readonly string[], now: number): Promise<ReadonlyMap<string, rows.PolledHead>> {
    return this.#call('readHeads', () => this.#backend.readHeads(ids, now));
  }

  migrate(): Promise<void> {
    return this.#call('migrate', () => this.#backend.migrate());
  }

  ping(): Promise<void> {
    return this.#call('ping', () => this.#backend.ping());
  }

  /** Closes the backend, whether the gate is closed or not. */
  close(): Promise<void> {
    return this.#backend.close();
  }

  /** @param size How large the operation is, or a function that reads it from the result. */
  async #call<T>(name: OperationName, call: () => Promise<T>, size?: number | ((result: T) => number)): Promise<T> {
    if (this.#refuses) this.#gate.begin();
    else this.#gate.beginPart();
    let startedAt = 0;
    try {
      if (this.#budget.isSpent()) await this.#budget.nextTurn();
      if (this.#observer !== undefined) startedAt = performance.now();
      const result = await call();
      if (this.#observer !== undefined) {
        this.#notify(name, startedAt, undefined, typeof size === 'function' ? size(result) : size);
      }
      return result;
    } catch (error) {
      const failure = this.#failureOf(name, error, true);
      this.#notify(name, startedAt, failure, typeof size === 'number' ? size : undefined);
      throw failure;
    } finally {
      this.#gate.end();
    }
  }

  #readChangeMarker(): number {
    try {
      return this.#backend.readChangeMarker?.() ?? 0;
    } catch (error) {
      throw this.#failureOf('readChangeMarker', error, false);
    }
  }

  #failureOf(name: string, error: unknown, outcomeUnknown: boolean): SessionError {
    if (error instanceof SessionError) return error;
    return new SessionError('STORE_FAILED', `${this.name} failed in ${name}`, { cause: error, outcomeUnknown });
  }

  #notify(name: OperationName, startedAt: number, failure: SessionError | undefined, size: number | undefined): void {
    if (this.#observer === undefined) return;
    notify(this.#observer, {
      name,
      backend: this.name,
      durationMs: performance.now() - startedAt,
      outcome: failure === undefined ? 'ok' : 'error',
      code: failure?.code,
      size,
    });
  }
}

function eventsIn(batch: readonly rows.AppendRequest[]): number {
  return batch.reduce((sum, { events }) => sum + events.length, 0);
}

function removedBy({ ids }: rows.SweepResult): number {
  return ids.length;
}

async function stopNothing(): Promise<void> {}
