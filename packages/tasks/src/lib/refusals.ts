import type { ProtocolError, ServerContext } from '@modelcontextprotocol/server';

/** Sees to it that a refusal in a tool is the answer to the request. */
export interface Refusals {
  /** Refuses the request, unless its tool has another answer. @returns The error to throw. */
  refuse(context: Pick<ServerContext, 'mcpReq'>, error: ProtocolError): ProtocolError;
}

type Handler = (request: unknown, context: ServerContext) => Promise<object>;

interface Low {
  setRequestHandler(method: string, ...given: unknown[]): void;
  /** What the server has registered. The SDK declares it as private. */
  readonly _requestHandlers?: Map<string, Handler>;
}

/**
 * Lets a JSON-RPC error out of a tool. `McpServer` turns what a tool throws into a result with
 * `isError`, but a missing capability must be an error of the protocol (SEP-2663, "Required
 * Capabilities"). The server sets its handler of `tools/call` when the first tool is registered, or
 * when it is made, if its options declare tools.
 *
 * It may go when tools can throw protocol errors, or when typescript-sdk#2782 is published.
 */
export function refusalsOf(server: object): Refusals {
  const refused = new WeakMap<object, ProtocolError>();
  const low = server as Low;
  const wrap =
    (handler: Handler): Handler =>
    async (request, context) => {
      const result = await handler(request, context);
      const error = refused.get(context.mcpReq);
      // A tool that has caught the error answers for itself.
      if (error !== undefined && (result as { readonly isError?: unknown }).isError === true) throw error;
      return result;
    };
  const present = low._requestHandlers?.get('tools/call');
  if (present !== undefined) low._requestHandlers?.set('tools/call', wrap(present));
  const register = low.setRequestHandler.bind(low);
  low.setRequestHandler = (method, ...given) => {
    if (method !== 'tools/call') return register(method, ...given);
    return register(method, ...given.slice(0, -1), wrap(given.at(-1) as Handler));
  };
  return {
    refuse: ({ mcpReq }, error) => {
      refused.set(mcpReq, error);
      return error;
    },
  };
}
