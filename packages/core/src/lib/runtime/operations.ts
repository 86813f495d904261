import { inspect } from 'node:util';
import type { SessionBackend } from '../contract/backend.ts';
import { SessionError, type SessionErrorCode } from '../errors.ts';
import { EventLoopBudget } from './event-loop-budget.ts';
import { Rests } from './rests.ts';

/** Names of the backend's methods that are observed. */
export type OperationName = Exclude<keyof SessionBackend, 'name' | 'capabilities' | 'readChangeMarker' | 'close'>;

/** One call to the backend, after it has ended. Holds no ids, keys or values. */
export interface Operation {
  readonly name: OperationName;
  /** Name of the backend, such as `sqlite`. */
  readonly backend: string;
  readonly durationMs: number;
  readonly outcome: 'ok' | 'error';
  /** The error's code; `undefined` where the outcome is `ok`. */
  readonly code: SessionErrorCode | undefined;
}

/** Is told of each call to the backend. What it throws becomes a process warning and changes nothing. */
export type Observer = (operation: Operation) => void;

/**
 * The gate in front of a backend: refuses after `close`, lets `close` wait for what was begun, tells the observer, and makes sure that
 * only a {@link SessionError} comes out.
 */
export class Operations {
  readonly #backend: SessionBackend;
  readonly #observe: Observer | undefined;
  #underWay = 0;
  /** Between the steps of long work. */
  readonly rests: Rests;
  readonly #turn: EventLoopBudget = new EventLoopBudget();
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor(backend: SessionBackend, observe: Observer | undefined) {
    this.#backend = backend;
    this.#observe = observe;
    this.rests = new Rests(backend.capabilities);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** @throws SessionError `STORE_CLOSED`, where work of a single {@link call} must not begin any more. */
  checkOpen(): void {
    if (this.#closed) throw new SessionError('STORE_CLOSED', 'Session store is closed');
  }

  /**
   * Begins a piece of work that `close` waits for until its {@link end}; it may make any number of calls.
   *
   * @throws SessionError `STORE_CLOSED`
   */
  begin(): void {
    this.checkOpen();
    this.#underWay++;
  }

  end(): void {
    this.#underWay--;
    if (this.#underWay === 0) this.#onIdle?.();
  }

  /** Runs a piece of work between its {@link begin} and its {@link end}. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.begin();
    try {
      return await work();
    } finally {
      this.end();
    }
  }

  /**
   * Makes one call to the backend: as a part of work that was begun, or after {@link checkOpen} as the whole of it.
   *
   * @param now Passed on to the call, where that spares a closure.
   */
  async call<T>(name: OperationName, call: (backend: SessionBackend, now: number) => Promise<T>, now = 0): Promise<T> {
    // Counted by itself as well: of two calls at once, one can outlast the work that failed with the other.
    this.#underWay++;
    let startedAt = 0;
    try {
      const turn = this.#turn.endIfLong();
      if (turn !== undefined) await turn;
      if (this.#observe !== undefined) startedAt = performance.now();
      const result = await call(this.#backend, now);
      if (this.#observe !== undefined) this.#tell(name, startedAt, undefined);
      return result;
    } catch (error) {
      const failure =
        error instanceof SessionError
          ? error
          : new SessionError('STORE_FAILED', `${this.#backend.name} failed in ${name}`, {
              cause: error,
              outcomeUnknown: true,
            });
      if (this.#observe !== undefined) this.#tell(name, startedAt, failure.code);
      throw failure;
    } finally {
      this.end();
    }
  }

  /** Refuses all further work and resolves when none is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.rests.close();
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }

  #tell(name: OperationName, startedAt: number, code: SessionErrorCode | undefined): void {
    try {
      const answer: unknown = this.#observe?.({
        name,
        backend: this.#backend.name,
        durationMs: performance.now() - startedAt,
        outcome: code === undefined ? 'ok' : 'error',
        code,
      });
      // An asynchronous function fits the type of an observer, and its rejection would end the process.
      if (answer instanceof Promise) answer.catch(warn);
    } catch (error) {
      warn(error);
    }
  }
}

function warn(error: unknown): void {
  process.emitWarning(`The observer of a session store threw: ${inspect(error)}`, 'SessionStoreWarning');
}
