import type { Observer } from '@mcp-session/core';
import type { HandlerObserver } from '@mcp-session/http/node';
import { metrics, trace } from '@opentelemetry/api';
import { HandlerTelemetry } from './handler.ts';
import { makeInstruments } from './metrics.ts';
import { resolveOptions, type TelemetryOptions } from './options.ts';
import { OperationSpans } from './spans.ts';
import { storeObserver } from './store.ts';

/** Traces and metrics of the sessions of a process. */
export interface Telemetry {
  /** The option `observe` of handlers: one may have several. */
  readonly observeHandler: HandlerObserver;
  /** The option `observe` of stores. */
  readonly observeStore: Observer;
}

const NAME = '@mcp-session/otel';

/**
 * Makes the observers of a process. Call it after the SDK of OpenTelemetry has started: instruments
 * of a meter provider that is registered later record nothing.
 *
 * @throws TypeError for an option.
 */
export function createTelemetry(options: TelemetryOptions = {}): Telemetry {
  const { tracerProvider, meterProvider, continueClientTraces, storeSpans } = resolveOptions(options);
  const instruments = makeInstruments((meterProvider ?? metrics.getMeterProvider()).getMeter(NAME));
  const tracer = (tracerProvider ?? trace.getTracerProvider()).getTracer(NAME);
  const handlers = new HandlerTelemetry(instruments, new OperationSpans(tracer, continueClientTraces));
  return {
    observeHandler: handlers.observe,
    observeStore: storeObserver(instruments, storeSpans ? tracer : undefined),
  };
}
