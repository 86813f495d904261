import type { Logger } from '@mcp-session/core';
import type { HandlerObserver } from '../reports/events.ts';

/** Where a handler reports what happens. */
export interface LogOptions {
  /**
   * Is called with each error that is not the client's. What it throws becomes a process warning.
   * With `degrade`, a failing store is reported once until it works again.
   *
   * Default: the errors go to `logger`, with the code and the scope of a `SessionError`, each cause
   * once a minute.
   */
  readonly onError?: (error: unknown) => void;
  /**
   * Gets a line for what happens on this node: a logger of pino or bunyan, `console`, or an object
   * with `debug`, `info`, `warn` and `error`. A method gets `(fields, message)`; a console gets
   * `(message, fields)`.
   *
   * - `error`: the errors that `onError` would get, each cause once a minute.
   * - `warn`: another node has ended and left requests; clients are refused with 429. Each cause
   *   once a minute.
   * - `info`: a session began, was restored on this node, or ended; the store works again; the
   *   handler closes.
   * - `debug`: a request was answered or dropped, with its method, its tool and its duration; a
   *   request was refused, with the status and the reason; a session was released from memory.
   *
   * A line never holds a whole session id, a principal, a token, arguments or results. A session is
   * named by the first part of its id. What the logger throws becomes a process warning.
   *
   * Default: the console, with errors and warnings only.
   */
  readonly logger?: Logger;
  /**
   * Is called with each event of this process: requests that servers answer, sessions, streams,
   * refusals. For metrics and traces; `@mcp-session/otel` has one for OpenTelemetry. It can return
   * a function that runs a request inside a context, see `HandlerEvent`. What happens in the store
   * is the option `observe` of the store.
   *
   * Events hold no whole session id, no principal, no token, no arguments and no results. The
   * observer is never awaited, and what it throws becomes a process warning.
   *
   * Default: none, which costs nothing.
   */
  readonly observe?: HandlerObserver;
}
