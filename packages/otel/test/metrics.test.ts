import { createSqliteStore } from '@mcp-session/sqlite';
import type { Histogram } from '@opentelemetry/sdk-metrics';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTelemetry, METRIC_NAMES } from '../src/index.ts';
import { BoundedNames } from '../src/lib/names.ts';
import { HandClient, lines } from './support/lines.ts';
import { keep } from './support/telemetry.ts';

const OVER_HTTP = { 'network.protocol.name': 'http', 'network.transport': 'tcp' };
const VERSION = { 'mcp.protocol.version': '2025-11-25' };
const SECRET = 'the-text-of-a-call';
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each(lines)('metrics, SDK $name', (line) => {
  it('a session on two processes, from its beginning to its end', async () => {
    const { telemetry, points, metrics } = keep();
    const { observeStore, observeHandler: observe } = telemetry;
    const store = await createSqliteStore({ path: ':memory:', observe: observeStore });
    const tools = { echo: () => SECRET };
    const [first, second] = [line.serve({ store, tools, observe }), line.serve({ store, tools, observe })];
    onTestFinished(async () => {
      await Promise.all([first.close(), second.close()]);
      await store.close();
    });
    const client = new HandClient((request) => first.fetch(request));
    const id = await client.begin();
    await client.call('echo');
    const stream = await client.listen();
    expect(await points(METRIC_NAMES.streamsActive)).toEqual([
      { value: 1, attributes: { 'mcp_session.stream.kind': 'standalone' } },
    ]);
    await stream.next();
    await first.broadcast({ method: 'notifications/tools/list_changed' });
    const cursor = /^id: (.*)$/m.exec(await stream.next())?.[1] ?? '';
    await stream.close();
    await first.close();
    const moved = HandClient.over((request) => second.fetch(request), client);
    await moved.call('echo');
    const resumed = await moved.listen(cursor);
    await resumed.close();
    expect(await moved.end()).toBe(204);
    expect((await moved.post('tools/list', {})).status).toBe(404);
    await store.sweep();
    await turn();

    const call = { ...OVER_HTTP, ...VERSION, 'mcp.method.name': 'tools/call' };
    expect(await points(METRIC_NAMES.operationDuration)).toEqual([
      { value: 1, attributes: { ...OVER_HTTP, ...VERSION, 'mcp.method.name': 'initialize' } },
      { value: 2, attributes: { ...call, 'gen_ai.tool.name': 'echo', 'gen_ai.operation.name': 'execute_tool' } },
    ]);
    const standalone = { 'mcp_session.stream.kind': 'standalone' };
    const once = (attributes: object): unknown => [{ value: 1, attributes }];
    expect(await points(METRIC_NAMES.sessionDuration)).toEqual(once({ ...OVER_HTTP, ...VERSION }));
    expect(await points(METRIC_NAMES.sessionsBegun)).toEqual(once(VERSION));
    expect(await points(METRIC_NAMES.sessionsEnded)).toEqual(once({ 'mcp_session.end.cause': 'deleted' }));
    expect(await points(METRIC_NAMES.sessionsActive)).toEqual([{ value: 0, attributes: {} }]);
    expect(await points(METRIC_NAMES.restoreDuration)).toEqual(once(VERSION));
    expect(await points(METRIC_NAMES.streamsActive)).toEqual([{ value: 0, attributes: standalone }]);
    expect(await points(METRIC_NAMES.resumeLag)).toEqual(once(standalone));
    expect(await points(METRIC_NAMES.deliveryLag)).toEqual(once(standalone));
    expect(await points(METRIC_NAMES.requestsRefused)).toEqual(
      once({
        'http.request.method': 'POST',
        'http.response.status_code': 404,
        'mcp_session.refusal.reason': 'session-not-found',
      }),
    );
    expect(await points(METRIC_NAMES.storeDuration)).toContainEqual({
      value: 1,
      attributes: { 'db.system.name': 'sqlite', 'db.operation.name': 'endSession' },
    });
    const batches = await points(METRIC_NAMES.batchSize);
    expect(batches).toEqual([{ value: expect.any(Number), attributes: { 'db.system.name': 'sqlite' } }]);
    const text = JSON.stringify(await metrics());
    for (const secret of [SECRET, id, id.slice(0, 13)]) expect(text).not.toContain(secret);
  });
});

const operation = {
  method: 'tools/call',
  name: undefined,
  requestId: '1',
  session: undefined,
  protocolVersion: undefined,
  meta: undefined,
};
const result = { code: undefined, hasAnswer: true, session: undefined, protocolVersion: undefined, durationMs: 1_500 };

it('names that clients make up add no series without end', async () => {
  const { telemetry, points } = keep();
  const end = (name: string, error: string | undefined, method = 'tools/call', code?: number): unknown =>
    telemetry.observeHandler({
      type: 'operation-ended',
      operation: { ...operation, method, name },
      ...result,
      error,
      code,
    });
  for (let count = 0; count < 300; count++) end(`made-up-${count}`, 'tool_error');
  for (let count = 0; count < 300; count++) end('x', '-32601', `made/up/${count}`, -32_601);
  end('echo', undefined);
  end('echo', 'tool_error');

  const found = (await points(METRIC_NAMES.operationDuration)).map(({ attributes }) => attributes);
  const tools = found.map((attributes) => String(attributes['gen_ai.tool.name']));
  expect(tools.filter((name) => name.startsWith('made-up'))).toHaveLength(100);
  expect(tools.filter((name) => name === 'echo')).toHaveLength(2);
  expect(found.filter((attributes) => String(attributes['mcp.method.name']).startsWith('made'))).toEqual([]);
});

it('the other events are counted too', async () => {
  const { telemetry, points } = keep();
  const { observeHandler, observeStore } = telemetry;
  observeHandler({ type: 'lease-taken-over', session: 'a…', node: 'b' });
  observeHandler({ type: 'store-status', failing: true });
  observeHandler({ type: 'session-ended', session: 'a…', protocolVersion: undefined, cause: 'gone', ageMs: 1 });
  observeHandler({
    type: 'refused',
    method: 'BREW',
    status: 418,
    reason: 'bad-request',
    code: undefined,
    session: undefined,
  });
  const call = { durationMs: 1, outcome: 'ok', code: undefined } as const;
  observeStore({ ...call, name: 'sweep', backend: 'postgres', size: 3 });
  observeStore({ ...call, name: 'ping', backend: 'dynamodb', outcome: 'error', code: 'STORE_BUSY', size: undefined });

  expect(await points(METRIC_NAMES.leaseTakeovers)).toEqual([{ value: 1, attributes: {} }]);
  expect(await points(METRIC_NAMES.storeFailing)).toEqual([{ value: 1, attributes: {} }]);
  expect(await points(METRIC_NAMES.sessionsEnded)).toEqual([
    { value: 1, attributes: { 'mcp_session.end.cause': 'gone' } },
  ]);
  // Each process that has the session notices it.
  expect(await points(METRIC_NAMES.sessionDuration)).toEqual([]);
  expect(await points(METRIC_NAMES.sessionsSwept)).toEqual([
    { value: 3, attributes: { 'db.system.name': 'postgresql' } },
  ]);
  expect(await points(METRIC_NAMES.requestsRefused)).toMatchObject([
    { attributes: { 'http.request.method': '_OTHER' } },
  ]);
  expect(await points(METRIC_NAMES.storeDuration)).toContainEqual({
    value: 1,
    attributes: { 'db.system.name': 'aws.dynamodb', 'db.operation.name': 'ping', 'error.type': 'STORE_BUSY' },
  });
});

it('names, units and boundaries are those of the conventions', async () => {
  const { telemetry, metrics } = keep();
  telemetry.observeHandler({ type: 'operation-ended', operation, ...result, error: undefined });
  telemetry.observeHandler({
    type: 'session-ended',
    session: 'a…',
    protocolVersion: undefined,
    cause: 'deleted',
    ageMs: 5_000,
  });
  telemetry.observeStore({
    name: 'ping',
    backend: 'sqlite',
    durationMs: 2,
    outcome: 'ok',
    code: undefined,
    size: undefined,
  });

  const seconds = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
  const found = (await metrics())
    .filter(({ descriptor: { name } }) => name.endsWith('.duration'))
    .map(({ descriptor: { name, unit }, dataPoints: [point] }) => {
      const value = point?.value as Histogram | undefined;
      return [name, unit, value?.buckets.boundaries, value?.sum];
    });
  expect(found).toEqual([
    ['mcp.server.operation.duration', 's', seconds, 1.5],
    ['mcp.server.session.duration', 's', seconds, 5],
    ['db.client.operation.duration', 's', [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10], 0.002],
  ]);
});

it('a tool that has worked keeps its name among made-up ones', () => {
  const names = new BoundedNames();
  for (let count = 0; count < 200; count++) names.of(`made-up-${count}`, false);
  expect([names.of('late', false), names.of('late', true), names.of('late', false)]).toEqual([
    '_OTHER',
    'late',
    'late',
  ]);
});

it.each([
  [{ tracer: {} }, 'Unknown option tracer; did you mean tracerProvider?'],
  [{ meterProvider: {} }, 'Option meterProvider is an object without the function getMeter'],
  [{ tracerProvider: null }, 'Option tracerProvider is null without the function getTracer'],
  [{ storeSpans: 1 }, 'Option storeSpans is'],
])('options are checked: %j', (options, message) => {
  expect(() => createTelemetry(options as object)).toThrow(message);
});

it('without an SDK, nothing happens', () => {
  const { observeHandler, observeStore } = createTelemetry();
  observeHandler({ type: 'session-held', session: 'a…' });
  observeStore({ name: 'ping', backend: 'sqlite', durationMs: 2, outcome: 'ok', code: undefined, size: undefined });
  expect(observeHandler({ type: 'session-released', session: 'a…' })).toBeUndefined();
});
