import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Reports the errors of requests that the SDK answers with 500. The SDK reports clients' mistakes
 * in the same way, and those do not belong in the log.
 */
export class FaultReports {
  readonly #errors = new AsyncLocalStorage<unknown[]>();
  readonly #report: (error: unknown) => void;

  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  /** Give it to the SDK as its `onerror`. */
  readonly listener = (error: unknown): void => void this.#errors.getStore()?.push(error);

  /** Answers one request with the SDK. */
  async answer(work: () => Promise<Response>): Promise<Response> {
    const errors: unknown[] = [];
    const response = await this.#errors.run(errors, work);
    if (response.status === 500) for (const error of errors) this.#report(error);
    return response;
  }
}
