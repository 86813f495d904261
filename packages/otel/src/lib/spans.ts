import type { ObservedOperation, OperationResult, OperationRunner } from '@mcp-session/http/node';
import {
  type Attributes,
  context,
  type Context,
  type Link,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { ATTRIBUTES, OVER_HTTP } from './attributes.ts';

/** The spans of the requests that run. */
export class OperationSpans {
  readonly #tracer: Tracer;
  readonly #continues: boolean;
  readonly #spans = new WeakMap<ObservedOperation, Span>();

  /** @param continues Whether a request continues the trace of its client. */
  constructor(tracer: Tracer, continues: boolean) {
    this.#tracer = tracer;
    this.#continues = continues;
  }

  /** Begins the span of a request. @returns What runs the request inside. */
  begin(operation: ObservedOperation): OperationRunner {
    const { parent, links } = this.#parentOf(operation);
    const span = this.#tracer.startSpan(
      nameOf(operation.method, operation.name),
      { kind: SpanKind.SERVER, attributes: attributesOf(operation), links },
      parent,
    );
    this.#spans.set(operation, span);
    return (work) => context.with(trace.setSpan(parent, span), work);
  }

  /**
   * Ends the span of a request.
   *
   * @param target The name of the tool or prompt as metrics have it, so that the names of spans are
   * few too.
   */
  end(
    operation: ObservedOperation,
    { session, protocolVersion, error, code }: OperationResult,
    { method, target }: { readonly method: string; readonly target: string | undefined },
  ): void {
    const span = this.#spans.get(operation);
    if (span === undefined) return;
    span.updateName(nameOf(method, target));
    span.setAttributes({
      ...(session !== undefined && { [ATTRIBUTES.session]: session }),
      ...(protocolVersion !== undefined && { [ATTRIBUTES.protocolVersion]: protocolVersion }),
      ...(error !== undefined && { [ATTRIBUTES.errorType]: error }),
      ...(code !== undefined && { [ATTRIBUTES.statusCode]: String(code) }),
    });
    // Without the message of the error, which belongs to the application and may hold its data.
    if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  }

  /**
   * The context that a client sends in `params._meta` is the parent, and the span that is active,
   * such as that of the HTTP request, is a link: one of the two may be retried without the other.
   */
  #parentOf({ meta }: ObservedOperation): { readonly parent: Context; readonly links: Link[] } {
    const active = context.active();
    const sent = meta === undefined ? active : propagation.extract(active, meta, GETTER);
    const [here, there] = [trace.getSpanContext(active), trace.getSpanContext(sent)];
    if (there === undefined || there === here) return { parent: active, links: [] };
    const [parent, other] = this.#continues ? [sent, here] : [active, there];
    return { parent, links: other === undefined ? [] : [{ context: other }] };
  }
}

/** Reads `params._meta`, where the keys of the context have no prefix (MCP, SEP-414). */
const GETTER = {
  keys: (meta: Readonly<Record<string, unknown>>) => Object.keys(meta),
  get: (meta: Readonly<Record<string, unknown>>, key: string) => {
    const value = Object.hasOwn(meta, key) ? meta[key] : undefined;
    return typeof value === 'string' ? value : undefined;
  },
};

function nameOf(method: string, target: string | undefined): string {
  return target === undefined ? method : `${method} ${target}`;
}

function attributesOf({ method, name, requestId, session, protocolVersion }: ObservedOperation): Attributes {
  return {
    ...OVER_HTTP,
    [ATTRIBUTES.method]: method,
    [ATTRIBUTES.requestId]: requestId,
    ...targetOf(method, name),
    ...(session !== undefined && { [ATTRIBUTES.session]: session }),
    ...(protocolVersion !== undefined && { [ATTRIBUTES.protocolVersion]: protocolVersion }),
  };
}

/** Attributes of the tool or prompt of a request. */
export function targetOf(method: string, name: string | undefined): Attributes {
  if (name === undefined) return {};
  if (method !== 'tools/call') return { [ATTRIBUTES.prompt]: name };
  return { [ATTRIBUTES.tool]: name, [ATTRIBUTES.genAiOperation]: 'execute_tool' };
}
