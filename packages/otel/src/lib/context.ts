import { context, propagation } from '@opentelemetry/api';

/**
 * The `_meta` for a request or notification that this process sends, so that its receiver continues
 * the active trace: `traceparent`, `tracestate` and `baggage`, as the global propagator writes them
 * (MCP, SEP-414).
 *
 * @param meta What `_meta` holds besides. Default: nothing. It is not changed.
 */
export function traceMeta(meta: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const carrier = { ...meta };
  propagation.inject(context.active(), carrier);
  return carrier;
}
