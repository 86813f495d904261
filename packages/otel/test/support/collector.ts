import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** An attribute as OTLP writes it in JSON. */
interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string };
}

interface Metric {
  readonly name: string;
}

interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly attributes: readonly Attribute[];
}

/** The parts of OTLP's requests that the tests read. */
interface ExportRequest {
  readonly resourceMetrics?: readonly { readonly scopeMetrics: readonly { readonly metrics: readonly Metric[] }[] }[];
  readonly resourceSpans?: readonly { readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[];
}

/** An endpoint of OTLP over HTTP with JSON, which keeps what it gets. */
export interface Collector {
  readonly url: string;
  readonly metrics: Metric[];
  readonly spans: Span[];
}

export async function startCollector(): Promise<Collector> {
  const metrics: Metric[] = [];
  const spans: Span[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      let body = '';
      for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
      const { resourceMetrics = [], resourceSpans = [] } = JSON.parse(body) as ExportRequest;
      metrics.push(...resourceMetrics.flatMap((each) => each.scopeMetrics).flatMap((scope) => scope.metrics));
      spans.push(...resourceSpans.flatMap((each) => each.scopeSpans).flatMap((scope) => scope.spans));
      response.setHeader('content-type', 'application/json').end('{}');
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, metrics, spans };
}
