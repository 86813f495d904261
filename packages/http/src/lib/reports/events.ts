import type { SessionErrorCode } from '@mcp-session/core';
import type { RefusalReason } from '../protocol/refusal-reason.ts';

/** A request of a client, on its way through a server. */
export interface ObservedOperation {
  /** As the client sent it, at most 100 characters. Any text can come from a client. */
  readonly method: string;
  /**
   * Name of the tool or prompt, at most 100 characters; `undefined` for other methods. Any text can
   * come from a client.
   */
  readonly name: string | undefined;
  /** The id of the JSON-RPC request, as text. */
  readonly requestId: string;
  /** First part of the session's id; `undefined`: there is no session, or not yet. */
  readonly session: string | undefined;
  /** Revision of the protocol; `undefined`: not agreed yet. */
  readonly protocolVersion: string | undefined;
  /** `params._meta` of the request, with the context of its trace; `undefined`: it has none. */
  readonly meta: Readonly<Record<string, unknown>> | undefined;
}

/** How an operation ended. */
export interface OperationResult {
  /** From the moment when the server got the request, in milliseconds. */
  readonly durationMs: number;
  /**
   * Why it failed; `undefined`: it succeeded. The code of the JSON-RPC error as text, `tool_error`
   * (a result with `isError`), `cancelled` by the client, `interrupted` because the server closed,
   * or the HTTP status of a refused `initialize`.
   */
  readonly error: string | undefined;
  /**
   * Whether the server answered. Without an answer, `error` is `cancelled` or `interrupted`, or a
   * status.
   */
  readonly hasAnswer: boolean;
  /** Code of the JSON-RPC error; `undefined`: the answer is none. */
  readonly code: number | undefined;
  /** Like the fields of the operation, and known for `initialize` too. */
  readonly session: string | undefined;
  readonly protocolVersion: string | undefined;
}

/** The stream of a POST, or the one of a session that belongs to no request. */
export type StreamKind = 'request' | 'standalone';

/**
 * What happened in a handler. `session` is the first part of the session's id, as in the log: the
 * whole id lets its reader use a session without a principal. No event holds arguments, results,
 * tokens or principals.
 */
export type HandlerEvent =
  /**
   * A server is about to get a request. The observer may return an {@link OperationRunner}. The
   * event `operation-ended` follows exactly once, with the same `operation` object.
   */
  | { readonly type: 'operation-began'; readonly operation: ObservedOperation }
  | ({ readonly type: 'operation-ended'; readonly operation: ObservedOperation } & OperationResult)
  /** A client has begun a session here. */
  | { readonly type: 'session-began'; readonly session: string; readonly protocolVersion: string | undefined }
  /** This process has made a server for a session that another one began. */
  | {
      readonly type: 'session-restored';
      readonly session: string;
      readonly protocolVersion: string | undefined;
      readonly durationMs: number;
    }
  /**
   * A session has ended. `deleted`: a client ended it, here. `gone`: this process noticed that it
   * has expired or was ended elsewhere; every process that has it in memory notices that.
   */
  | {
      readonly type: 'session-ended';
      readonly session: string;
      readonly protocolVersion: string | undefined;
      readonly cause: 'deleted' | 'gone';
      /** Since the session began, in milliseconds. */
      readonly ageMs: number;
    }
  /** `endAll` of this handler has ended sessions. Those in memory are `gone` besides. */
  | { readonly type: 'sessions-ended'; readonly count: number }
  /** A session came into this process's memory, or left it. */
  | { readonly type: 'session-held' | 'session-released'; readonly session: string }
  | {
      readonly type: 'stream-opened';
      /** `undefined`: the stream answers a request without a session. */
      readonly session: string | undefined;
      readonly stream: StreamKind;
      /**
       * How many events the session's log had after the one that the client resumed from, on all
       * its streams: at least as many as the client missed. `undefined`: the client did not resume.
       */
      readonly resumedBehind: number | undefined;
    }
  | {
      readonly type: 'stream-closed';
      readonly session: string | undefined;
      readonly stream: StreamKind;
      readonly durationMs: number;
    }
  /**
   * A message was written to a stream that was open when the message was stored. `lagMs` is the
   * time since then, in milliseconds. Between nodes, it is as good as their clocks agree; never
   * negative.
   */
  | { readonly type: 'delivered'; readonly session: string; readonly stream: StreamKind; readonly lagMs: number }
  /** An HTTP request was refused. A GET that is held or ends in a stream is not. */
  | {
      readonly type: 'refused';
      /** HTTP method. */
      readonly method: string;
      readonly status: number;
      readonly reason: RefusalReason;
      /** Code of the {@link SessionError}; `undefined`: the error is none. */
      readonly code: SessionErrorCode | undefined;
      /** First part of the id that the request names; `undefined`: it names none. */
      readonly session: string | undefined;
    }
  /** Another node has ended; this one answers a request that it left. */
  | { readonly type: 'lease-taken-over'; readonly session: string; readonly node: string }
  /** Requests find that the store fails, or that it works again. */
  | { readonly type: 'store-status'; readonly failing: boolean };

/**
 * Runs an operation inside a context, such as one of `AsyncLocalStorage`. It must call `work` once,
 * before it returns. The handler calls `work` itself if the runner does not, and never twice.
 */
export type OperationRunner = (work: () => void) => void;

/**
 * Is called with each event, in the middle of the work. It is never awaited. What it throws becomes
 * a process warning, and changes nothing else.
 *
 * It may return an {@link OperationRunner} for `operation-began`. Other results are ignored.
 */
export type HandlerObserver = (event: HandlerEvent) => unknown;
