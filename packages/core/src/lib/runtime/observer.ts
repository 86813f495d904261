import { inspect } from 'node:util';
import type { SessionBackend } from '../contract/backend.ts';
import type { SessionErrorCode } from '../errors.ts';

/** Names of the backend's methods that are observed. */
export type OperationName = Exclude<
  keyof SessionBackend,
  'name' | 'capabilities' | 'readChangeMarker' | 'readSchemaVersion' | 'planMigration' | 'diagnose' | 'close'
>;

/** One call to the backend, after it has ended. Holds no ids, keys or values. */
export interface Operation {
  readonly name: OperationName;
  /** Name of the backend, such as `sqlite`. */
  readonly backend: string;
  readonly durationMs: number;
  readonly outcome: 'ok' | 'error';
  /** The error's code; `undefined` if the outcome is `ok`. */
  readonly code: SessionErrorCode | undefined;
  /**
   * How many events a batch of `appendEvents` had, or how many sessions a step of `sweep` removed;
   * `undefined`: another operation, or a sweep that failed.
   */
  readonly size: number | undefined;
}

/** Called after each call to the backend. An error that it throws becomes a process warning. */
export type Observer = (operation: Operation) => void;

/** Calls an observer so that its failure changes nothing. */
export function notify(observer: Observer, operation: Operation): void {
  try {
    const answer: unknown = observer(operation);
    // An asynchronous function fits the type of an observer. Its rejection would end the process.
    if (answer instanceof Promise) answer.catch(warn);
  } catch (error) {
    warn(error);
  }
}

function warn(error: unknown): void {
  process.emitWarning(`The observer of a session store threw: ${inspect(error)}`, 'SessionStoreWarning');
}
