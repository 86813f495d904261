import type { ProtocolError, ServerContext } from '@modelcontextprotocol/server';

/** Sees to it that a refusal in a tool is the answer to the request. */
export interface Refusals {
  /** Refuses the request, whatever its tool makes of the error. @returns The error to throw. */
  refuse(context: Pick<ServerContext, 'mcpReq'>, error: ProtocolError): ProtocolError;
}

type Handler = (request: unknown, context: ServerContext) => Promise<object>;
type Register = (method: string, ...given: unknown[]) => void;

/**
 * Lets a JSON-RPC error out of a tool. `McpServer` turns what a tool throws into a result with
 * `isError`, but a missing capability must be an error of the protocol (SEP-2663, "Required
 * Capabilities"). The server sets its handler of `tools/call` when the first tool is registered.
 *
 * It may go when tools can throw protocol errors, or when typescript-sdk#2782 is published.
 */
export function refusalsOf(server: object): Refusals {
  const refused = new WeakMap<object, ProtocolError>();
  const low = server as { setRequestHandler: Register };
  const register = low.setRequestHandler.bind(low);
  low.setRequestHandler = (method, ...given) => {
    const handler = given.at(-1) as Handler;
    if (method !== 'tools/call') return register(method, ...given);
    return register(method, ...given.slice(0, -1), async (request: unknown, context: ServerContext) => {
      const result = await handler(request, context);
      const error = refused.get(context.mcpReq);
      if (error !== undefined) throw error;
      return result;
    });
  };
  return {
    refuse: ({ mcpReq }, error) => {
      refused.set(mcpReq, error);
      return error;
    },
  };
}
