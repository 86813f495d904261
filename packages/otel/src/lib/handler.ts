import type { HandlerEvent, HandlerObserver, ObservedOperation, OperationResult } from '@mcp-session/http/node';
import type { Attributes } from '@opentelemetry/api';
import { ATTRIBUTES, OVER_HTTP } from './attributes.ts';
import type { Instruments } from './metrics.ts';
import { BoundedNames, OTHER } from './names.ts';
import { type OperationSpans, targetOf } from './spans.ts';

/** The code of JSON-RPC for a method that the server does not have. */
const METHOD_NOT_FOUND = -32_601;

/** Turns the events of handlers into metrics and spans. */
export class HandlerTelemetry {
  readonly #instruments: Instruments;
  readonly #spans: OperationSpans;
  readonly #methods = new BoundedNames();
  readonly #targets = new BoundedNames();

  constructor(instruments: Instruments, spans: OperationSpans) {
    this.#instruments = instruments;
    this.#spans = spans;
  }

  readonly observe: HandlerObserver = (event) => {
    if (event.type === 'operation-began') return this.#spans.begin(event.operation);
    if (event.type === 'operation-ended') this.#ended(event.operation, event);
    else this.#count(event);
    return undefined;
  };

  #ended(operation: ObservedOperation, result: OperationResult): void {
    const hasSucceeded = result.error === undefined;
    const isUnknown = result.code === METHOD_NOT_FOUND;
    const method = isUnknown ? OTHER : this.#methods.of(operation.method, hasSucceeded);
    const { name } = operation;
    const target = name === undefined || isUnknown ? undefined : this.#targets.of(name, hasSucceeded);
    this.#instruments.operationDuration.record(result.durationMs / 1_000, {
      ...OVER_HTTP,
      [ATTRIBUTES.method]: method,
      ...targetOf(operation.method, target),
      ...versionOf(result.protocolVersion),
      ...(result.error !== undefined && { [ATTRIBUTES.errorType]: result.error }),
      ...(result.code !== undefined && { [ATTRIBUTES.statusCode]: String(result.code) }),
    });
    this.#spans.end(operation, result, { method, target });
  }

  #count(event: HandlerEvent): void {
    const to = this.#instruments;
    switch (event.type) {
      case 'session-began':
        return to.sessionsBegun.add(1, versionOf(event.protocolVersion));
      case 'session-restored':
        return to.restoreDuration.record(event.durationMs / 1_000, versionOf(event.protocolVersion));
      case 'session-ended':
        return this.#sessionEnded(event);
      case 'session-held':
        return to.sessionsActive.add(1);
      case 'session-released':
        return to.sessionsActive.add(-1);
      case 'stream-opened':
        if (event.resumedBehind !== undefined) to.resumeLag.record(event.resumedBehind, streamOf(event));
        return to.streamsActive.add(1, streamOf(event));
      case 'stream-closed':
        return to.streamsActive.add(-1, streamOf(event));
      case 'delivered':
        return to.deliveryLag.record(event.lagMs / 1_000, streamOf(event));
      case 'refused':
        return to.requestsRefused.add(1, refusalOf(event));
      case 'lease-taken-over':
        return to.leaseTakeovers.add(1);
      case 'store-status':
        return to.storeFailing.record(event.failing ? 1 : 0);
      default:
        return undefined;
    }
  }

  /**
   * A session that is gone was noticed by each process that had it, so its duration counts nowhere.
   */
  #sessionEnded({ cause, ageMs, protocolVersion }: HandlerEvent & { readonly type: 'session-ended' }): void {
    this.#instruments.sessionsEnded.add(1, { [ATTRIBUTES.end]: cause });
    if (cause !== 'deleted') return;
    this.#instruments.sessionDuration.record(ageMs / 1_000, { ...OVER_HTTP, ...versionOf(protocolVersion) });
  }
}

function versionOf(protocolVersion: string | undefined): Attributes {
  return protocolVersion === undefined ? {} : { [ATTRIBUTES.protocolVersion]: protocolVersion };
}

function streamOf({ stream }: { readonly stream: string }): Attributes {
  return { [ATTRIBUTES.stream]: stream };
}

/** The methods of HTTP that have a series of their own. A client can send any. */
const HTTP_METHODS: ReadonlySet<string> = new Set(['GET', 'POST', 'DELETE', 'OPTIONS', 'HEAD', 'PUT', 'PATCH']);

function refusalOf({ method, status, reason }: HandlerEvent & { readonly type: 'refused' }): Attributes {
  return {
    [ATTRIBUTES.httpMethod]: HTTP_METHODS.has(method) ? method : OTHER,
    [ATTRIBUTES.httpStatus]: status,
    [ATTRIBUTES.refusal]: reason,
  };
}
