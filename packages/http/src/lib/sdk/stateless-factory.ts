import type { SessionStore, StateSchemas } from '@mcp-session/core';
import { type AuthInfo, McpServer, type McpServerFactory } from '@modelcontextprotocol/server';
import type { SessionHandlerOptions } from '../handler/options.ts';
import { principalOf } from '../request/principal.ts';
import { type UserContext, userContext } from '../request/user.ts';
import { checkedFactory } from '../session/checked-factory.ts';
import type { V2Server } from './v2.ts';

/**
 * What `createStatelessServer` gets: the context of the SDK's factory, and who is served.
 *
 * `principal` and `user` throw if an authenticated request has no principal, or if the option
 * `principal` has failed. A server that uses neither serves such a request.
 */
export type StatelessContext<U extends StateSchemas = StateSchemas> = Parameters<McpServerFactory>[0] & UserContext<U>;

export interface StatelessFactoryOptions<U extends StateSchemas> extends Pick<
  SessionHandlerOptions<V2Server, AuthInfo, StateSchemas, U>,
  'principal' | 'user'
> {
  readonly store: Pick<SessionStore, 'forPrincipal'>;
  readonly createStatelessServer: (context: StatelessContext<U>) => V2Server | Promise<V2Server>;
}

/**
 * The SDK's factory of a `createStatelessServer`: it adds to the context who is served, and checks
 * the server. Nothing is thrown for the principal unless the application's factory reads it.
 */
export function statelessFactory<U extends StateSchemas>({
  createStatelessServer,
  store,
  principal: tell,
  user: userOptions,
}: StatelessFactoryOptions<U>): McpServerFactory {
  const create = checkedFactory('createStatelessServer', createStatelessServer);
  return async (context) => {
    const { authInfo, requestInfo = new Request('http://localhost/') } = context;
    const [told] = await Promise.allSettled([principalOf(authInfo, requestInfo, tell)]);
    let known: UserContext<U> | undefined;
    const served = (): UserContext<U> => {
      if (told.status === 'rejected') throw told.reason;
      known ??= userContext(store, told.value, userOptions);
      return known;
    };
    const server = await create({
      ...context,
      get principal() {
        return served().principal;
      },
      get user() {
        return served().user;
      },
    });
    checkCopy(server);
    return server as Awaited<ReturnType<McpServerFactory>>;
  };
}

/**
 * The SDK finds the `Server` inside an `McpServer` by the class, and so only in one of its own
 * copy.
 *
 * @throws TypeError for an `McpServer` of SDK v1, or of a copy that a CommonJS module has loaded.
 */
function checkCopy(server: V2Server): void {
  if (server instanceof McpServer || !('server' in server)) return;
  throw new TypeError(
    'Option createStatelessServer returned the McpServer of another SDK line or copy; import it from @modelcontextprotocol/server, as an ES module',
  );
}
