import { kindOf } from '@mcp-session/core/backend';

/**
 * Wraps a factory of the application so that it fails if it returns no server, or one that it
 * returned before: responses of that one would go to another client, and its close would end the
 * requests of the other client.
 *
 * @param option The name of the factory's option.
 */
export function checkedFactory<Args extends readonly unknown[], Server extends object>(
  option: 'createServer' | 'createStatelessServer',
  create: (...args: Args) => Server | Promise<Server>,
): (...args: Args) => Promise<Server> {
  const made = new WeakSet<object>();
  return async (...args) => {
    const server = await create(...args);
    const { connect } = (server ?? {}) as { readonly connect?: unknown };
    if (typeof connect !== 'function') {
      throw new TypeError(`Option ${option} returned ${kindOf(server)}; return an McpServer`);
    }
    if (made.has(server)) {
      throw new TypeError(`Option ${option} returned the same server again; make a new one each time it is called`);
    }
    made.add(server);
    return server;
  };
}
