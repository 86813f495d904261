import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import { checkOptions, flag, kindOf, type OptionNames } from '@mcp-session/core/backend';

/** Options of `createTelemetry`. */
export interface TelemetryOptions {
  /**
   * Where spans go.
   *
   * Default: the global one, which an SDK of OpenTelemetry registers. Without an SDK, nothing
   * happens.
   */
  readonly tracerProvider?: TracerProvider;
  /** Where metrics go. Default: the global one. */
  readonly meterProvider?: MeterProvider;
  /**
   * Whether a request continues the trace that its client names in `params._meta`: `traceparent`,
   * `tracestate` and `baggage`, as the global propagator reads them. `false`: the request belongs
   * to the trace of its HTTP request, and links to the client's. A client chooses its trace id and
   * whether the trace is sampled, so choose `false` on a server for strangers.
   *
   * Default: `true`, as the conventions ask for.
   */
  readonly continueClientTraces?: boolean;
  /**
   * Whether each call to the store is a span of the request that makes it.
   *
   * Default: `true`.
   */
  readonly storeSpans?: boolean;
}

const NAMES: OptionNames<TelemetryOptions> = {
  tracerProvider: ['tracer', 'traceProvider', 'tracing'],
  meterProvider: ['meter', 'metrics', 'metricProvider'],
  continueClientTraces: ['trustClients', 'trustTraceContext', 'propagate'],
  storeSpans: ['dbSpans', 'databaseSpans'],
};

/** Options with their defaults applied. `undefined`: the global provider, as it is at each use. */
export interface ResolvedOptions {
  readonly tracerProvider: TracerProvider | undefined;
  readonly meterProvider: MeterProvider | undefined;
  readonly continueClientTraces: boolean;
  readonly storeSpans: boolean;
}

/** @throws TypeError that names the option. */
export function resolveOptions(options: TelemetryOptions): ResolvedOptions {
  checkOptions(options, NAMES);
  const { tracerProvider, meterProvider } = options;
  provider('tracerProvider', tracerProvider, 'getTracer');
  provider('meterProvider', meterProvider, 'getMeter');
  return {
    tracerProvider,
    meterProvider,
    continueClientTraces: flag('continueClientTraces', options.continueClientTraces, true),
    storeSpans: flag('storeSpans', options.storeSpans, true),
  };
}

function provider(name: string, value: unknown, method: string): void {
  if (value === undefined) return;
  const { [method]: get } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof get === 'function') return;
  throw new TypeError(
    `Option ${name} is ${kindOf(value)} without the function ${method}; give a provider of OpenTelemetry`,
  );
}
