import { SessionError } from '@mcp-session/core';
import { ProtocolErrorCode } from '@modelcontextprotocol/server';
import { missingExtension } from './extension.ts';

/** What else a refusal has. */
export interface RefusalParts {
  readonly data?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A `subscriptions/listen` that is refused: a JSON-RPC error with its HTTP status. */
export class ListenRefusal extends Error {
  readonly #status: number;
  readonly #code: number;
  readonly #parts: RefusalParts;

  constructor(status: number, code: number, message: string, parts: RefusalParts = {}) {
    super(message);
    this.#status = status;
    this.#code = code;
    this.#parts = parts;
  }

  /**
   * The response, with the headers for browsers that the stream would have had.
   *
   * @param id That of the request; `null` if it is unknown.
   */
  toResponse(id: string | number | null, { headers }: Response): Response {
    const kept = [...headers].filter(([name]) => name.startsWith('access-control-') || name === 'vary');
    const error = { code: this.#code, message: this.message, data: this.#parts.data };
    return Response.json(
      { jsonrpc: '2.0', id, error },
      { status: this.#status, headers: { ...Object.fromEntries(kept), ...this.#parts.headers } },
    );
  }
}

/** The request does not declare the extension. The status is the SDK's for this code. */
export function undeclared(): ListenRefusal {
  const { code, message, data } = missingExtension();
  return new ListenRefusal(400, code, message, { data });
}

/** Parameters that do not fit. The status is the SDK's for this code. */
export function invalidParams(fault: string): ListenRefusal {
  return new ListenRefusal(200, ProtocolErrorCode.InvalidParams, `Invalid params: ${fault}`);
}

/**
 * The refusal for an error that is not the client's, as `@mcp-session/http` answers it: 503 if the
 * store failed, otherwise 500. It reveals nothing about the inside.
 */
export function faultOf(error: unknown): ListenRefusal {
  if (error instanceof SessionError && (error.retryable || error.code.startsWith('STORE_'))) {
    return new ListenRefusal(503, -32_000, 'Session store is unavailable', { headers: { 'retry-after': '2' } });
  }
  return new ListenRefusal(500, ProtocolErrorCode.InternalError, 'Internal server error');
}
