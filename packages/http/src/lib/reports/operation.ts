import type { JsonRpcRequest, JsonRpcResponse } from '../protocol/json-rpc.ts';
import type { ObservedOperation, OperationResult, OperationRunner } from './events.ts';
import type { SafeObserver } from './observer.ts';

/** How much of a text is reported that a client chooses, in characters. */
export const MAX_TEXT = 100;

/** Whom an operation belongs to. */
export type OperationSession = Pick<OperationResult, 'session' | 'protocolVersion'>;

export interface OperationReports {
  readonly observer: SafeObserver | undefined;
  /** Writes the line of the log. */
  readonly onEnded: (operation: ObservedOperation, result: OperationResult) => void;
}

/** A request that a server answers, from its beginning to its one end. */
export class OperationReport {
  readonly #operation: ObservedOperation;
  readonly #reports: OperationReports;
  readonly #runner: OperationRunner | undefined;
  readonly #startedAt = performance.now();
  #hasEnded = false;

  constructor(request: JsonRpcRequest, session: OperationSession, reports: OperationReports) {
    this.#reports = reports;
    this.#operation = { ...session, ...aboutRequest(request) };
    this.#runner = reports.observer?.notify({ type: 'operation-began', operation: this.#operation });
  }

  /** Does the work of the operation in the context of the observer. */
  run<T>(work: () => T): T {
    const { observer } = this.#reports;
    return this.#runner === undefined || observer === undefined ? work() : observer.run(this.#runner, work);
  }

  /** @param session What `initialize` has made known. */
  answered(answer: JsonRpcResponse, session?: OperationSession): void {
    this.#end({ hasAnswer: true, error: errorOf(answer), code: answer.error?.code }, session);
  }

  /**
   * There will be no answer. Nothing happens if there was one.
   *
   * @param error See {@link OperationResult.error}.
   */
  readonly failed = (error: string): void => this.#end({ hasAnswer: false, error, code: undefined });

  #end(outcome: Pick<OperationResult, 'hasAnswer' | 'error' | 'code'>, session?: OperationSession): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const { protocolVersion, session: known } = this.#operation;
    const durationMs = performance.now() - this.#startedAt;
    const result = { ...outcome, durationMs, protocolVersion, session: known, ...session };
    this.#reports.onEnded(this.#operation, result);
    this.#reports.observer?.notify({ type: 'operation-ended', operation: this.#operation, ...result });
  }
}

/** The method, and which tool or prompt. Not the URI of a resource, which can hold a secret. */
function aboutRequest({
  id,
  method,
  params,
}: JsonRpcRequest): Pick<ObservedOperation, 'method' | 'name' | 'requestId' | 'meta'> {
  const name = method === 'tools/call' || method === 'prompts/get' ? params?.['name'] : undefined;
  const meta = params?.['_meta'];
  return {
    method: method.slice(0, MAX_TEXT),
    name: typeof name === 'string' ? name.slice(0, MAX_TEXT) : undefined,
    requestId: String(id).slice(0, MAX_TEXT),
    meta: typeof meta === 'object' && meta !== null ? (meta as Readonly<Record<string, unknown>>) : undefined,
  };
}

/** Whether an answer reports a failure. Not its text, which belongs to the application. */
function errorOf({ error, result }: JsonRpcResponse): string | undefined {
  if (error !== undefined) return String(error.code);
  return (result as { readonly isError?: unknown } | undefined)?.isError === true ? 'tool_error' : undefined;
}
