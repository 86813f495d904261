import type { Observer, Operation } from '@mcp-session/core';
import { type Attributes, context, SpanKind, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api';
import { ATTRIBUTES } from './attributes.ts';
import type { Instruments } from './metrics.ts';

/** The names of the conventions for what backends call themselves. */
const SYSTEMS: ReadonlyMap<string, string> = new Map([
  ['postgres', 'postgresql'],
  ['dynamodb', 'aws.dynamodb'],
]);

/** Makes the option `observe` of a store. */
export function storeObserver(instruments: Instruments, tracer: Tracer | undefined): Observer {
  return (operation) => {
    const { name, durationMs, size } = operation;
    const system = { [ATTRIBUTES.database]: SYSTEMS.get(operation.backend) ?? operation.backend };
    const attributes = attributesOf(operation, system);
    instruments.storeDuration.record(durationMs / 1_000, attributes);
    if (size !== undefined && name === 'appendEvents') instruments.batchSize.record(size, system);
    if (size !== undefined && name === 'sweep') instruments.sessionsSwept.add(size, system);
    if (tracer !== undefined) addSpan(tracer, operation, attributes);
  };
}

function attributesOf({ name, code }: Operation, system: Attributes): Attributes {
  return {
    ...system,
    [ATTRIBUTES.databaseOperation]: name,
    ...(code !== undefined && { [ATTRIBUTES.errorType]: code }),
  };
}

/**
 * Adds a span for a call that has ended, if a request that is recorded made it. A batch of appends
 * belongs to the request whose append began it.
 */
function addSpan(tracer: Tracer, { name, durationMs, code }: Operation, attributes: Attributes): void {
  if (trace.getActiveSpan()?.isRecording() !== true) return;
  const endTime = Date.now();
  const span = tracer.startSpan(
    name,
    { kind: SpanKind.CLIENT, attributes, startTime: endTime - durationMs },
    context.active(),
  );
  if (code !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: code });
  span.end(endTime);
}
