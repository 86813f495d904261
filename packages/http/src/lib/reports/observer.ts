import { Causes } from '@mcp-session/core/transport';
import { inspect } from 'node:util';
import type { HandlerEvent, HandlerObserver, OperationRunner } from './events.ts';

/** Calls the observer of an application so that its failure changes nothing. */
export class SafeObserver {
  readonly #observer: HandlerObserver;
  readonly #causes: Causes;

  constructor(observer: HandlerObserver, clock: () => number) {
    this.#observer = observer;
    this.#causes = new Causes(clock);
  }

  /** @returns The runner that the observer returned, if it is one. */
  notify(event: HandlerEvent): OperationRunner | undefined {
    try {
      const answer: unknown = this.#observer(event);
      this.#catch(answer);
      return typeof answer === 'function' ? (answer as OperationRunner) : undefined;
    } catch (error) {
      this.#warn(error);
      return undefined;
    }
  }

  /** Does the work in the context of a runner, exactly once, whatever the runner does. */
  run<T>(runner: OperationRunner, work: () => T): T {
    let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
    const once = (): void => {
      if (outcome !== undefined) return;
      try {
        outcome = { value: work() };
      } catch (error) {
        outcome = { error };
      }
    };
    try {
      this.#catch(runner(once));
    } catch (error) {
      this.#warn(error);
    }
    once();
    return unwrap(outcome);
  }

  /** An asynchronous function fits the type of an observer. Its rejection would end the process. */
  #catch(answer: unknown): void {
    if (answer instanceof Promise) answer.catch((error: unknown) => this.#warn(error));
  }

  #warn(error: unknown): void {
    const cause = error instanceof Error ? `${error.name} ${error.message}` : typeof error;
    // It is called thousands of times a second.
    if (this.#causes.next(cause) === undefined) return;
    process.emitWarning(`The observer of a session handler threw: ${inspect(error)}`, 'SessionHandlerWarning');
  }
}

function unwrap<T>(outcome: { readonly value: T } | { readonly error: unknown } | undefined): T {
  if (outcome === undefined) throw new Error('Work of an operation did not run');
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}
