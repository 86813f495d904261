import { context, propagation } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { onTestFinished } from 'vitest';
import { createTelemetry, type Telemetry, type TelemetryOptions } from '../../src/index.ts';

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(
  new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
);

/** A point of a metric: the value, or the count of a histogram, with the attributes. */
export interface Point {
  readonly value: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** Telemetry that is kept in memory. */
export interface Kept {
  readonly telemetry: Telemetry;
  readonly tracerProvider: TracerProvider;
  spans(): readonly ReadableSpan[];
  metrics(): Promise<readonly MetricData[]>;
  /** The points of a metric; none if it recorded nothing. */
  points(name: string): Promise<readonly Point[]>;
}

export function keep(options: TelemetryOptions = {}): Kept {
  const spans = new InMemorySpanExporter();
  const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  onTestFinished(async () => {
    await meterProvider.shutdown();
    await tracerProvider.shutdown();
  });
  const metrics = async (): Promise<readonly MetricData[]> => {
    exporter.reset();
    await meterProvider.forceFlush();
    return exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  };
  return {
    telemetry: createTelemetry({ tracerProvider, meterProvider, ...options }),
    tracerProvider,
    spans: () => spans.getFinishedSpans(),
    metrics,
    points: async (name) => (await metrics()).filter(({ descriptor }) => descriptor.name === name).flatMap(pointsOf),
  };
}

function pointsOf({ dataPoints }: MetricData): Point[] {
  return (dataPoints as DataPoint<number | Histogram>[]).map(({ value, attributes }) => ({
    value: typeof value === 'number' ? value : value.count,
    attributes,
  }));
}
