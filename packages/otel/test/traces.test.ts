import { createMemoryStore } from '@mcp-session/core/memory';
import { context, propagation, type SpanContext, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { describe, expect, it, onTestFinished } from 'vitest';
import { traceMeta, type TelemetryOptions } from '../src/index.ts';
import { HandClient, lines, type Line, type Serving } from './support/lines.ts';
import { keep, type Kept } from './support/telemetry.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const META = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'vendor=1', progressToken: 7 };
const SECRET = 'the-text-of-a-call';

interface Started extends Kept {
  readonly client: HandClient;
  readonly id: string;
  /** The span with this name. */
  span(name: string): ReadableSpan;
}

async function start(line: Line, tools: Serving['tools'], options: TelemetryOptions = {}): Promise<Started> {
  const kept = keep(options);
  const { observeStore, observeHandler } = kept.telemetry;
  const store = await createMemoryStore({ observe: observeStore });
  const handler = line.serve({ store, tools, observe: observeHandler });
  onTestFinished(async () => {
    await handler.close();
    await store.close();
  });
  const client = new HandClient((request) => handler.fetch(request));
  const id = await client.begin();
  const span = (name: string): ReadableSpan => {
    const found = kept.spans().find((each) => each.name === name);
    if (found === undefined) throw new Error(`No span ${name} among ${namesOf(kept.spans())}`);
    return found;
  };
  return { ...kept, client, id, span };
}

function namesOf(spans: readonly ReadableSpan[]): string {
  return spans.map(({ name }) => name).join(', ');
}

/** Ends a call whose span ends just after its response. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each(lines)('traces, SDK $name', (line) => {
  it('a call is a span of the conventions, in the trace that its client names', async () => {
    const { client, span, id } = await start(line, { echo: () => SECRET });
    await client.call('echo', META);
    await turn();

    const call = span('tools/call echo');
    expect(call.kind).toBe(SpanKind.SERVER);
    expect(call.spanContext().traceId).toBe(TRACE);
    expect(call.parentSpanContext?.spanId).toBe(PARENT);
    expect(call.status.code).toBe(SpanStatusCode.UNSET);
    expect(call.attributes).toEqual({
      'mcp.method.name': 'tools/call',
      'mcp.session.id': `${id.slice(0, 13)}…`,
      'mcp.protocol.version': '2025-11-25',
      'gen_ai.tool.name': 'echo',
      'gen_ai.operation.name': 'execute_tool',
      'jsonrpc.request.id': '2',
      'network.protocol.name': 'http',
      'network.transport': 'tcp',
    });
    expect(span('initialize').attributes).toMatchObject({
      'mcp.session.id': `${id.slice(0, 13)}…`,
      'mcp.protocol.version': '2025-11-25',
    });
  });

  it('what a tool does is inside: its own spans, and calls to the store', async () => {
    const tracer = trace.getTracer('tool');
    const { client, span, spans, tracerProvider } = await start(line, {
      work: async (session) => {
        await new Promise((resolve) => setImmediate(resolve));
        await session.state.set('a', SECRET);
        tracerProvider.getTracer('tool').startSpan('inner').end();
        return SECRET;
      },
    });
    tracer.startSpan('unrelated').end();
    await client.call('work');
    await turn();

    const { spanId, traceId } = span('tools/call work').spanContext();
    const inside = spans().filter((each) => each.parentSpanContext?.spanId === spanId);
    expect(inside.map(({ name }) => name)).toEqual(expect.arrayContaining(['inner', 'commitState', 'appendEvents']));
    expect(inside.filter((each) => each.spanContext().traceId !== traceId)).toEqual([]);
    expect(span('commitState').kind).toBe(SpanKind.CLIENT);
    expect(span('commitState').attributes).toEqual({ 'db.system.name': 'memory', 'db.operation.name': 'commitState' });
    // Reads of no request would each be a trace of its own.
    expect(spans().filter(({ parentSpanContext }) => parentSpanContext === undefined)).toHaveLength(2);
  });

  it('the span of the HTTP request is a link if the client names a trace, and else the parent', async () => {
    const { client, span, spans, tracerProvider } = await start(line, { echo: () => 'a', plain: () => 'b' });
    const http = tracerProvider.getTracer('http').startSpan('POST');
    await context.with(trace.setSpan(context.active(), http), async () => {
      await client.call('echo', META);
      await client.call('plain');
    });
    await turn();

    const { spanId } = http.spanContext();
    expect(span('tools/call echo').parentSpanContext?.spanId).toBe(PARENT);
    expect(span('tools/call echo').links.map((link) => link.context.spanId)).toEqual([spanId]);
    expect(span('tools/call plain').parentSpanContext?.spanId).toBe(spanId);
    expect(spans().flatMap(({ name, links }) => (name.endsWith('plain') ? links : []))).toEqual([]);
  });

  it('continueClientTraces: false links to the trace of the client', async () => {
    const { client, span } = await start(line, { echo: () => 'a' }, { continueClientTraces: false, storeSpans: false });
    await client.call('echo', META);
    await turn();

    const call = span('tools/call echo');
    expect(call.parentSpanContext).toBeUndefined();
    expect(call.links.map((link): SpanContext['spanId'] => link.context.spanId)).toEqual([PARENT]);
  });

  it('a failure is an error without the text of the application', async () => {
    const { client, span, spans, id } = await start(line, {
      fail: () => {
        throw new Error(SECRET);
      },
    });
    expect(await client.call('fail')).toContain(SECRET);
    await (await client.post('no/such', {})).text();
    await turn();

    const failed = span('tools/call fail');
    expect(failed.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(failed.attributes['error.type']).toBe('tool_error');
    expect(span('_OTHER').attributes).toMatchObject({
      'mcp.method.name': 'no/such',
      'error.type': '-32601',
      'rpc.response.status_code': '-32601',
    });
    const text = JSON.stringify(
      spans().map(({ attributes, status, name, events }) => [attributes, status, name, events]),
    );
    for (const secret of [SECRET, id, id.slice(14)]) expect(text).not.toContain(secret);
  });
});

it('traceMeta sends the active trace and its baggage, and keeps what is there', () => {
  expect(traceMeta({ progressToken: 7 })).toEqual({ progressToken: 7 });
  const span = trace.wrapSpanContext({ traceId: TRACE, spanId: PARENT, traceFlags: 1 });
  const baggage = propagation.createBaggage({ user: { value: 'ada' } });
  const active = propagation.setBaggage(trace.setSpan(context.active(), span), baggage);

  const meta = { progressToken: 7 };
  expect(context.with(active, () => traceMeta(meta))).toEqual({
    progressToken: 7,
    traceparent: META.traceparent,
    baggage: 'user=ada',
  });
  expect(meta).toEqual({ progressToken: 7 });
});
