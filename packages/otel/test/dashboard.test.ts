import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { parser } from '@prometheus-io/lezer-promql';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createTelemetry, METRIC_NAMES } from '../src/index.ts';
import { recordEveryMetric } from './support/every-event.ts';

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const read = (path: string): string => readFileSync(join(import.meta.dirname, '..', path), 'utf8');
const { panels } = JSON.parse(read('infrastructure/grafana-dashboard.json')) as { readonly panels: readonly Panel[] };
const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const));

class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** The samples of Prometheus: the name of each series, with its labels. */
const samples = new Map<string, Set<string>>();

beforeAll(async () => {
  const reader = new ManualReader();
  recordEveryMetric(createTelemetry({ meterProvider: new MeterProvider({ readers: [reader] }) }));
  const { resourceMetrics } = await reader.collect();
  for (const line of new PrometheusSerializer().serialize(resourceMetrics).split('\n')) {
    const [, name, list = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === undefined) continue;
    const labels = samples.get(name) ?? new Set();
    for (const [, label = ''] of list.matchAll(/(\w+)="/g)) labels.add(label);
    samples.set(name, labels);
  }
});

/** The series that a query reads. */
function seriesOf(expr: string): string[] {
  const patterns = [
    ...[...expr.matchAll(/__name__=~"([^"]+)"/g)].map(([, pattern = '']) => new RegExp(`^(?:${pattern})$`)),
    ...[...expr.matchAll(/\b((?:mcp|db)_\w+)\{/g)].map(([, name = '']) => new RegExp(`^${name}$`)),
  ];
  return patterns.flatMap((pattern) => [...samples.keys()].filter((name) => pattern.test(name)));
}

/** Where a query is no PromQL, each place with what stands there. */
function mistakesIn(expr: string): string[] {
  const filledIn = expr.replaceAll('$__rate_interval', '1m');
  const mistakes: string[] = [];
  parser.parse(filledIn).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) mistakes.push(`${from}: ${filledIn.slice(from, to)}`);
    },
  });
  return mistakes;
}

describe('the dashboard', () => {
  it.each(queries)('%s: is PromQL', (_, expr) => {
    expect(mistakesIn(expr)).toEqual([]);
    // A test that finds no mistake anywhere proves nothing.
    expect(mistakesIn(expr.slice(0, -1))).not.toEqual([]);
  });

  it.each(queries)('%s: reads metrics and labels that there are', (_, expr) => {
    const series = seriesOf(expr);
    expect(series).toHaveLength(1);
    const used = [
      ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', ')),
      ...[...expr.matchAll(/(\w+)!?="/g)].map(([, label = '']) => label),
    ];
    const known = new Set([...(samples.get(series[0] ?? '') ?? []), 'instance', 'job', '__name__']);
    expect(used.filter((label) => !known.has(label))).toEqual([]);
  });

  it('shows every metric, and reads each under the names that a collector gives it too', () => {
    const shown = queries
      .flatMap(([, expr]) => seriesOf(expr))
      .map((name) => name.replace(/_(count|bucket|total)$/, ''));
    const all = Object.values(METRIC_NAMES).map((name) => name.replaceAll('.', '_'));
    expect([...new Set(shown)].toSorted()).toEqual(all.toSorted());
    for (const [, expr] of queries.filter(([, each]) => /_duration|_delivery_lag/.test(each))) {
      expect(expr).toMatch(/__name__=~"\w+\(_seconds\)\?_(count|bucket)"/);
    }
  });

  it('has panels with ids of their own', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });
});

it('the table of docs/operating/metrics.md has every metric and no other', () => {
  const rows = [...read('../../docs/operating/metrics.md').matchAll(/^\| `(\w+\.[\w.]+)` /gm)].map(
    ([, name = '']) => name,
  );
  expect(rows.toSorted()).toEqual(Object.values(METRIC_NAMES).toSorted());
});
