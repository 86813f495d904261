import { createMemoryStore } from '@mcp-session/core/memory';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { METRIC_NAMES } from '../src/index.ts';
import { startCollector } from './support/collector.ts';
import { HandClient, lines } from './support/lines.ts';
import { keep } from './support/telemetry.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

it('a collector gets traces and metrics over OTLP', async () => {
  const { url, metrics, spans } = await startCollector();
  const exporter = new OTLPTraceExporter({ url: `${url}/v1/traces` });
  const tracerProvider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] });
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({ url: `${url}/v1/metrics` }),
    exportIntervalMillis: 3_600_000,
  });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const { observeHandler: observe, observeStore } = keep({ tracerProvider, meterProvider }).telemetry;
  const store = await createMemoryStore({ observe: observeStore });
  const handler = lines[1]?.serve({ store, tools: { echo: () => 'hello' }, observe });
  const client = new HandClient(async (request) => handler?.fetch(request) ?? Response.error());
  await client.begin();
  await client.call('echo', { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` });
  await handler?.close();
  await store.close();
  await Promise.all([tracerProvider.shutdown(), meterProvider.shutdown()]);

  const call = spans.find(({ name }) => name === 'tools/call echo');
  expect(call?.traceId).toBe(TRACE);
  expect(call?.attributes).toContainEqual({ key: 'gen_ai.tool.name', value: { stringValue: 'echo' } });
  expect(metrics.map(({ name }) => name)).toEqual(
    expect.arrayContaining([METRIC_NAMES.operationDuration, METRIC_NAMES.sessionsActive, METRIC_NAMES.storeDuration]),
  );
});

/** The code that the document shows for Prometheus. */
function documentedCode(): string {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/operating/metrics.md'), 'utf8');
  const code = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, each = '']) => each);
  return code.find((each) => each.includes('PrometheusExporter')) ?? 'missing';
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** The server of the document, and a request of a client that calls an unknown session. */
const BEFORE = `import { McpServer } from '@modelcontextprotocol/server';
const createServer = () => new McpServer({ name: 'test', version: '1.0.0' });
`;
const AFTER = `
const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const post = (method: string, params: object, more: object = {}) =>
  handler.fetch(new Request('http://localhost/mcp', {
    method: 'POST',
    headers: { ...headers, ...more },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  }));
await post('initialize', {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
});
await post('tools/list', {}, { 'mcp-session-id': 'unknown' });
console.log(await (await fetch(\`http://127.0.0.1:\${process.env.PORT}/metrics\`)).text());
process.exit();
`;

it('Prometheus reads the metrics of the documented server', async () => {
  const folder = mkdtempSync(join(import.meta.dirname, 'documented-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const file = join(folder, 'server.ts');
  writeFileSync(file, BEFORE + documentedCode().replace('port: 9464', `port: ${port}`) + AFTER);
  const args = ['--conditions=@mcp-session/source', '--disable-warning=ExperimentalWarning', file];
  const child = spawn(process.execPath, args, { cwd: folder, env: { ...process.env, PORT: String(port) } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: unknown) => (output += String(text)));
  await once(child, 'close');

  const labels = 'http_request_method="POST",http_response_status_code="404",mcp_session_refusal_reason';
  expect(output).toContain(`mcp_session_requests_refused_total{${labels}="session-not-found"`);
  expect(output).toMatch(/^mcp_session_sessions_active\S* 1$/m);
  expect(output).toMatch(/^mcp_server_operation_duration_count\{.*mcp_method_name="initialize".*\} 1$/m);
});
