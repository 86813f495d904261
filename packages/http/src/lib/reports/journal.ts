import { type LogFields, type Logger, SessionError } from '@mcp-session/core';
import { Causes, clientOf, type LogLevel, shortId, writeLine } from '@mcp-session/core/transport';
import { isServerFault, responseFor } from '../protocol/http-errors.ts';
import type { JsonRpcRequest } from '../protocol/json-rpc.ts';
import { safeCallback } from '../runtime/safe-callback.ts';
import type { AnySession } from '../store/session-handle.ts';
import type { HandlerEvent, HandlerObserver, ObservedOperation, OperationResult, StreamKind } from './events.ts';
import { SafeObserver } from './observer.ts';
import { MAX_TEXT, OperationReport, type OperationReports, type OperationSession } from './operation.ts';

interface Line {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** Where a handler reports what happens. */
export interface JournalOptions {
  readonly logger?: Logger | undefined;
  readonly observe?: HandlerObserver | undefined;
}

/** A session without its data. */
type Named = Pick<AnySession, 'id'>;

/**
 * The one place that says what happens on this node: to the log, and to the observer. Neither gets
 * data of a session: no whole id, no principal, no token, no argument and no result.
 *
 * Without a logger, the console gets the warnings, and nothing else. Without an observer, no event
 * is made.
 */
export class Journal {
  readonly #write: (line: Line) => void;
  readonly #isSilent: boolean;
  readonly #warnings: Causes;
  readonly #observer: SafeObserver | undefined;
  /** `undefined`: operations are not reported. */
  readonly #operations: OperationReports | undefined;

  /** @param clock Returns the present time in milliseconds. */
  constructor({ logger, observe }: JournalOptions, clock: () => number = Date.now) {
    this.#isSilent = logger === undefined;
    this.#warnings = new Causes(clock);
    this.#observer = observe && new SafeObserver(observe, clock);
    this.#write = safeCallback<Line>('logger', ({ level, message, fields }) =>
      writeLine(logger ?? console, level, `@mcp-session/http: ${message}`, fields),
    );
    if (this.#isSilent && observe === undefined) return;
    this.#operations = {
      observer: this.#observer,
      onEnded: (operation, result) => this.#ended(operation, result),
    };
  }

  /** Whether operations are reported to anyone. */
  get reportsOperations(): boolean {
    return this.#operations !== undefined;
  }

  /**
   * A server gets a request.
   *
   * @param session `undefined`: there is none.
   * @returns What to report its end to; `undefined`: there is neither a logger nor an observer.
   */
  operation(
    request: JsonRpcRequest,
    session: AnySession | undefined,
    protocolVersion: string | undefined,
  ): OperationReport | undefined {
    if (this.#operations === undefined) return undefined;
    const id = session && shortId(session.id);
    return new OperationReport(request, { session: id, protocolVersion }, this.#operations);
  }

  began(session: AnySession): void {
    this.#line('info', 'session began', () => aboutClient(session));
    this.#observer?.notify({ type: 'session-began', ...aboutSession(session) });
  }

  /** @param startedAt When the restore began, by `performance.now()`. */
  restored(session: AnySession, startedAt: number): void {
    const durationMs = performance.now() - startedAt;
    this.#line('info', 'session restored', () => ({ ...aboutClient(session), durationMs: Math.round(durationMs) }));
    this.#observer?.notify({ type: 'session-restored', ...aboutSession(session), durationMs });
  }

  /** @param cause See {@link HandlerEvent}. */
  ended(session: AnySession, cause: 'deleted' | 'gone'): void {
    this.#line('info', 'session ended', () => about(session));
    this.#observer?.notify({
      type: 'session-ended',
      ...aboutSession(session),
      cause,
      ageMs: Math.max(0, Date.now() - session.createdAt),
    });
  }

  endedAll(count: number): void {
    this.#line('info', 'sessions of a principal ended', () => ({ count }));
    this.#observer?.notify({ type: 'sessions-ended', count });
  }

  /** This node has the session in memory. */
  held(session: AnySession): void {
    this.#observer?.notify({ type: 'session-held', ...about(session) });
  }

  /**
   * This node has the session in memory no longer.
   *
   * @param hasEnded Whether that is because the session ended, which has a line of its own.
   */
  released(session: AnySession, hasEnded: boolean): void {
    if (!hasEnded) this.#line('debug', 'session released from memory', () => about(session));
    this.#observer?.notify({ type: 'session-released', ...about(session) });
  }

  /**
   * @param session `undefined`: the stream answers a request without a session.
   * @param resumedBehind How many events a client is behind that resumes; `undefined`: it does not.
   */
  streamOpened(session: Named | undefined, stream: StreamKind, resumedBehind?: number): void {
    this.#observer?.notify({ type: 'stream-opened', session: session && shortId(session.id), stream, resumedBehind });
  }

  /** @param openedAt When it was opened, by `performance.now()`. */
  streamClosed(session: Named | undefined, stream: StreamKind, openedAt: number): void {
    this.#observer?.notify({
      type: 'stream-closed',
      session: session && shortId(session.id),
      stream,
      durationMs: performance.now() - openedAt,
    });
  }

  /** @param storedAt When the message was stored, in Unix milliseconds. */
  delivered(session: Named, stream: StreamKind, storedAt: number): void {
    this.#observer?.notify({ type: 'delivered', ...about(session), stream, lagMs: Math.max(0, Date.now() - storedAt) });
  }

  /**
   * An HTTP request was refused. A client that calls too often is one line a minute. If the server
   * is at fault, `onError` gets the error, and there is no line.
   */
  refused(request: Request, error: unknown): void {
    this.#observer?.notify(aboutRefusal(request, error));
    if (isServerFault(error)) return;
    const { status, message } = responseFor(error);
    const reason = message.slice(0, MAX_TEXT);
    const fields = (): LogFields => {
      const { method, session, code } = aboutRefusal(request, error);
      return { method, status, reason, ...(code !== undefined && { code }), ...(session !== undefined && { session }) };
    };
    if (status === 429) this.#warn('request refused', `${status} ${reason}`, fields());
    else this.#line('debug', 'request refused', fields);
  }

  /** Another node has ended, and this one answers a request that it left. */
  tookOver(session: AnySession, nodeId: string): void {
    this.#warn('node has ended; its requests get an error', nodeId, { node: nodeId, ...about(session) });
    this.#observer?.notify({ type: 'lease-taken-over', ...about(session), node: nodeId });
  }

  storeStatus(failing: boolean): void {
    if (!failing) this.#line('info', 'session store works again', () => ({}));
    this.#observer?.notify({ type: 'store-status', failing });
  }

  closing(sessions: number, drainMs: number): void {
    this.#line('info', 'handler is closing', () => ({ sessions, drainMs }));
  }

  closed(): void {
    this.#line('info', 'handler is closed', () => ({}));
  }

  #ended(operation: ObservedOperation, result: OperationResult): void {
    // The line of its session says it.
    if (operation.method === 'initialize') return;
    const message = result.hasAnswer ? 'request answered' : 'request ended without an answer';
    this.#line('debug', message, () => aboutEnd(operation, result));
  }

  #line(level: 'debug' | 'info', message: string, fields: () => LogFields): void {
    if (!this.#isSilent) this.#write({ level, message, fields: fields() });
  }

  #warn(message: string, cause: string, fields: LogFields): void {
    const silenced = this.#warnings.next(`${message} ${cause}`);
    if (silenced === undefined) return;
    this.#write({ level: 'warn', message, fields: { ...fields, ...(silenced > 0 && { silenced }) } });
  }
}

function about({ id }: Named): { readonly session: string } {
  return { session: shortId(id) };
}

/** What events say of a session. */
export function aboutSession(session: AnySession): OperationSession & { readonly session: string } {
  return { ...about(session), protocolVersion: session.protocol.protocolVersion };
}

function aboutClient(session: AnySession): LogFields {
  const client = clientOf(session.protocol);
  const { protocolVersion } = session.protocol;
  return { ...about(session), client: client?.slice(0, MAX_TEXT), protocolVersion };
}

function aboutEnd(
  { method, name }: ObservedOperation,
  { session, error, code, durationMs }: OperationResult,
): LogFields {
  return {
    ...(session !== undefined && { session }),
    method,
    ...(name !== undefined && { name }),
    ...(error !== undefined && { error: code ?? error }),
    durationMs: Math.round(durationMs),
  };
}

function aboutRefusal({ method, headers }: Request, error: unknown): HandlerEvent & { readonly type: 'refused' } {
  const { status, reason } = responseFor(error);
  const id = headers.get('mcp-session-id');
  return {
    type: 'refused',
    method,
    status,
    reason,
    code: error instanceof SessionError ? error.code : undefined,
    session: id === null ? undefined : shortId(id),
  };
}
