import { SessionError } from '@mcp-session/core';
import { clientOf, shortId } from '@mcp-session/core/transport';
import { responseFor } from '../protocol/http-errors.ts';
import type { JsonRpcRequest, JsonRpcResponse } from '../protocol/json-rpc.ts';
import { Causes } from '../runtime/error-log.ts';
import { type LogFields, type Logger, type LogLevel, writeLine } from '../runtime/logger.ts';
import { safeCallback } from '../runtime/safe-callback.ts';
import type { AnySession } from '../store/session-handle.ts';

/** How much of a text is written that a client chooses, in characters. */
const MAX_TEXT = 100;

interface Line {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/**
 * Writes what happens to sessions on this node. Lines hold no data of a session: neither its whole
 * id nor its principal, no token, no argument and no result.
 *
 * Without a logger, the console gets the warnings, and nothing else.
 */
export class Journal {
  readonly #write: (line: Line) => void;
  readonly #isSilent: boolean;
  readonly #warnings: Causes;

  /** @param clock Returns the present time in milliseconds. */
  constructor(logger: Logger | undefined, clock: () => number = Date.now) {
    this.#isSilent = logger === undefined;
    this.#warnings = new Causes(clock);
    this.#write = safeCallback<Line>('logger', ({ level, message, fields }) =>
      writeLine(logger ?? console, level, message, fields),
    );
  }

  began(session: AnySession): void {
    this.#line('info', 'session began', () => aboutClient(session));
  }

  /** @param startedAt When the restore began, by `performance.now()`. */
  restored(session: AnySession, startedAt: number): void {
    this.#line('info', 'session restored', () => ({ ...aboutClient(session), durationMs: since(startedAt) }));
  }

  /** The session has ended or expired. */
  ended(session: AnySession): void {
    this.#line('info', 'session ended', () => about(session));
  }

  endedAll(count: number): void {
    this.#line('info', 'sessions of a principal ended', () => ({ count }));
  }

  /** This node has the session in memory no longer. */
  released(session: AnySession): void {
    this.#line('debug', 'session released from memory', () => about(session));
  }

  /** @param startedAt When the request came, by `performance.now()`. */
  called(session: AnySession, request: JsonRpcRequest, answer: JsonRpcResponse, startedAt: number): void {
    this.#line('debug', 'request answered', () => ({
      ...about(session),
      ...aboutRequest(request),
      ...failureOf(answer),
      durationMs: since(startedAt),
    }));
  }

  /**
   * An HTTP request was refused, and the server is not at fault. A client that calls too often is
   * one line a minute.
   */
  refused({ method, headers }: Request, error: unknown): void {
    const { status, message } = responseFor(error);
    const reason = message.slice(0, MAX_TEXT);
    const id = headers.get('mcp-session-id');
    const fields = (): LogFields => ({
      method,
      status,
      reason,
      ...(error instanceof SessionError && { code: error.code }),
      ...(id !== null && { session: shortId(id) }),
    });
    if (status === 429) this.#warn('request refused', `${status} ${reason}`, fields());
    else this.#line('debug', 'request refused', fields);
  }

  /** Another node has ended, and this one answers a request that it left. */
  tookOver(session: AnySession, nodeId: string): void {
    this.#warn('node has ended; its requests get an error', nodeId, { node: nodeId, ...about(session) });
  }

  storeWorksAgain(): void {
    this.#line('info', 'session store works again', () => ({}));
  }

  closing(sessions: number, drainMs: number): void {
    this.#line('info', 'handler is closing', () => ({ sessions, drainMs }));
  }

  closed(): void {
    this.#line('info', 'handler is closed', () => ({}));
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

function about({ id }: AnySession): LogFields {
  return { session: shortId(id) };
}

function aboutClient(session: AnySession): LogFields {
  const client = clientOf(session.protocol);
  const { protocolVersion } = session.protocol;
  return { ...about(session), client: client?.slice(0, MAX_TEXT), protocolVersion };
}

/** The method, and which tool or prompt. Not the URI of a resource, which can hold a secret. */
function aboutRequest({ method, params }: JsonRpcRequest): LogFields {
  const name = method === 'tools/call' || method === 'prompts/get' ? params?.['name'] : undefined;
  return {
    method: method.slice(0, MAX_TEXT),
    ...(typeof name === 'string' && { name: name.slice(0, MAX_TEXT) }),
  };
}

/** Whether an answer reports a failure. Not its text, which belongs to the application. */
function failureOf({ error, result }: JsonRpcResponse): LogFields {
  if (error !== undefined) return { error: error.code };
  return (result as { readonly isError?: unknown } | undefined)?.isError === true ? { error: 'tool' } : {};
}

function since(startedAt: number): number {
  return Math.round(performance.now() - startedAt);
}
