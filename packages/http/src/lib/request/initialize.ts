import { jsonOf, responseWithBody } from '../protocol/buffered-body.ts';
import type { JsonRpcRequest, JsonRpcResponse } from '../protocol/json-rpc.ts';
import type { LocalSession } from '../session/local-session.ts';
import type { Caller } from '../session/sdk-adapter.ts';
import type { ServerLifecycle } from '../session/server-lifecycle.ts';
import { messageFrame, SSE_HEADERS } from '../stream/sse.ts';
import { answerFormFor } from './accept.ts';

/** Answers `initialize`: begins a session. */
export class InitializeHandler {
  readonly #lifecycle: ServerLifecycle;
  readonly #principalOf: (caller: Caller) => Promise<string | null>;
  readonly #onBegun: (local: LocalSession) => Promise<void>;

  constructor(
    lifecycle: ServerLifecycle,
    principalOf: (caller: Caller) => Promise<string | null>,
    onBegun: (local: LocalSession) => Promise<void>,
  ) {
    this.#lifecycle = lifecycle;
    this.#principalOf = principalOf;
    this.#onBegun = onBegun;
  }

  async handle(initialize: JsonRpcRequest, caller: Caller): Promise<Response> {
    const principal = await this.#principalOf(caller);
    const { response, local } = await this.#lifecycle.begin(initialize, principal, caller);
    if (local === undefined) return answer(caller.request, response);
    await this.#onBegun(local);
    return answer(caller.request, response, { 'mcp-session-id': local.session.id });
  }
}

/**
 * JSON for each client that can read it, and not a stream: a client whose connection breaks here
 * has no session to resume.
 */
function answer(request: Request, message: JsonRpcResponse, headers: Readonly<Record<string, string>> = {}): Response {
  return answerFormFor(request, true) === 'json'
    ? jsonOf(message, headers)
    : responseWithBody(messageFrame({ id: undefined, message }), { ...SSE_HEADERS, ...headers });
}
