import type { Counter, Gauge, Histogram, Meter, MetricOptions, UpDownCounter } from '@opentelemetry/api';

/** The names of all metrics. */
export const METRIC_NAMES = {
  /** Of the semantic conventions: how long requests take. Histogram, in seconds. */
  operationDuration: 'mcp.server.operation.duration',
  /**
   * Of the semantic conventions: how long sessions lasted that a client ended. Histogram, in
   * seconds.
   */
  sessionDuration: 'mcp.server.session.duration',
  /** Of the semantic conventions: how long calls to the store take. Histogram, in seconds. */
  storeDuration: 'db.client.operation.duration',
  /** Sessions in memory. */
  sessionsActive: 'mcp_session.sessions.active',
  sessionsBegun: 'mcp_session.sessions.begun',
  sessionsEnded: 'mcp_session.sessions.ended',
  /** How long it takes to restore a session, and how many were. Histogram, in seconds. */
  restoreDuration: 'mcp_session.session.restore.duration',
  /** Connections that wait for messages. */
  streamsActive: 'mcp_session.streams.active',
  /** How many events clients are behind that resume a stream, and how many do. Histogram. */
  resumeLag: 'mcp_session.stream.resume.lag',
  /** From the storing of a message to its writing to an open stream. Histogram, in seconds. */
  deliveryLag: 'mcp_session.stream.delivery.lag',
  requestsRefused: 'mcp_session.requests.refused',
  /** Streams of requests that another node left, and that this one ended with an error. */
  leaseTakeovers: 'mcp_session.lease.takeovers',
  /** 1 while requests find that the store fails. */
  storeFailing: 'mcp_session.store.failing',
  /** How many events are appended in one commit. Histogram. */
  batchSize: 'mcp_session.store.batch.size',
  /** Sessions that sweeps removed. */
  sessionsSwept: 'mcp_session.store.sessions.swept',
} as const;

/** Boundaries of the semantic conventions for durations of MCP, in seconds. */
const MCP_SECONDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
/** Boundaries of the semantic conventions for calls to databases, in seconds. */
const DATABASE_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
const COUNTS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000];

/** The instruments of one meter. */
export interface Instruments {
  readonly operationDuration: Histogram;
  readonly sessionDuration: Histogram;
  readonly storeDuration: Histogram;
  readonly sessionsActive: UpDownCounter;
  readonly sessionsBegun: Counter;
  readonly sessionsEnded: Counter;
  readonly restoreDuration: Histogram;
  readonly streamsActive: UpDownCounter;
  readonly resumeLag: Histogram;
  readonly deliveryLag: Histogram;
  readonly requestsRefused: Counter;
  readonly leaseTakeovers: Counter;
  readonly storeFailing: Gauge;
  readonly batchSize: Histogram;
  readonly sessionsSwept: Counter;
}

export function makeInstruments(meter: Meter): Instruments {
  const of = (name: keyof Instruments, unit: string, description: string, boundaries?: number[]) =>
    [
      METRIC_NAMES[name],
      { unit, description, ...(boundaries && { advice: { explicitBucketBoundaries: boundaries } }) } as MetricOptions,
    ] as const;
  return {
    operationDuration: meter.createHistogram(
      ...of('operationDuration', 's', 'From a request of a client to its response', MCP_SECONDS),
    ),
    sessionDuration: meter.createHistogram(
      ...of('sessionDuration', 's', 'From the beginning of a session to its end by its client', MCP_SECONDS),
    ),
    storeDuration: meter.createHistogram(
      ...of('storeDuration', 's', 'Duration of calls to the session store', DATABASE_SECONDS),
    ),
    sessionsActive: meter.createUpDownCounter(...of('sessionsActive', '{session}', 'Sessions in memory')),
    sessionsBegun: meter.createCounter(...of('sessionsBegun', '{session}', 'Sessions that clients began')),
    sessionsEnded: meter.createCounter(...of('sessionsEnded', '{session}', 'Sessions whose end was noticed')),
    restoreDuration: meter.createHistogram(
      ...of('restoreDuration', 's', 'Time to restore a session from the store', MCP_SECONDS),
    ),
    streamsActive: meter.createUpDownCounter(...of('streamsActive', '{stream}', 'Open streams of clients')),
    resumeLag: meter.createHistogram(...of('resumeLag', '{event}', 'Events that came while a client was away', COUNTS)),
    deliveryLag: meter.createHistogram(
      ...of('deliveryLag', 's', 'From the storing of a message to its writing to a stream', DATABASE_SECONDS),
    ),
    requestsRefused: meter.createCounter(...of('requestsRefused', '{request}', 'HTTP requests that were refused')),
    leaseTakeovers: meter.createCounter(
      ...of('leaseTakeovers', '{request}', 'Streams that another node left and this one ended'),
    ),
    storeFailing: meter.createGauge(
      ...of('storeFailing', '{store}', '1 while the session store fails, 0 while it works'),
    ),
    batchSize: meter.createHistogram(...of('batchSize', '{event}', 'Events in one commit', COUNTS)),
    sessionsSwept: meter.createCounter(...of('sessionsSwept', '{session}', 'Sessions that sweeps removed')),
  };
}
