import type { StateSchemas } from '@mcp-session/core';
import type { SessionIdOf } from '../store/platform-sessions.ts';
import type { UserContext } from '../request/user.ts';
import type { OnSessionCreate } from '../request/session-create.ts';
import type { AddressOf } from '../request/session-limits.ts';
import type { ServerLike } from '../session/sdk-adapter.ts';

/** What `createStatelessServer` of `createSessionHandler` gets. There is no session. */
export interface SessionlessContext<AuthInfo, U extends StateSchemas = StateSchemas> extends UserContext<U> {
  /** The only request that the server answers. */
  readonly request: Request;
  /** Its verified token; `undefined` if it has none. */
  readonly authInfo: AuthInfo | undefined;
}

/**
 * The options of `createSessionHandler` that say which sessions there are, for how long, and in
 * which form their clients are answered.
 */
export interface SessionOptions<AuthInfo, U extends StateSchemas = StateSchemas> {
  /**
   * What happens to a request without a session id that is no `initialize`. Some clients never send
   * the id that they got.
   *
   * - `refuse`: it gets 400.
   * - `stateless`: `createStatelessServer` makes a server for this one POST. Nothing is stored, the
   *   client cannot be asked anything, and a lost connection cancels the request. GET and DELETE
   *   get 405.
   *
   * A request with an unknown id gets 404 either way, so that its client begins anew.
   *
   * Default: `refuse`.
   */
  readonly withoutSession?: 'refuse' | 'stateless';
  /**
   * Makes the MCP server of one POST without a session. Return a new instance each time. Required
   * with `withoutSession: 'stateless'`, and not called otherwise.
   */
  readonly createStatelessServer?: (context: SessionlessContext<AuthInfo, U>) => ServerLike | Promise<ServerLike>;
  /**
   * How long a session lives after its last use, in milliseconds. An open connection uses it. Most
   * clients do not recover from the end of their session, so it should outlive a break.
   *
   * Default: the option `ttlMs` of the store if it was given; otherwise 24 hours (`86_400_000`).
   */
  readonly sessionTtlMs?: number;
  /**
   * The same for a session that its client has not used yet: it has sent neither
   * `notifications/initialized` nor a request other than `ping`. Longer values than that of a used
   * session have no effect.
   *
   * Default: 2 minutes (`120_000`).
   */
  readonly uninitializedTtlMs?: number;
  /**
   * Makes session ids: visible ASCII, from a secure generator. Default: UUID v7 with 74 random
   * bits.
   */
  readonly generateSessionId?: () => string;
  /**
   * For platforms that put a session id of their own into each request, such as Amazon Bedrock
   * AgentCore: returns that id; `undefined`: there is none. The handler still makes the ids of the
   * sessions. It remembers in the store which session a principal began last under the platform's
   * id, and finds it again on any node. Under an id without a session, it answers `ping`. What it
   * remembers lives and ends with the session, and takes the place of one more session in the
   * store.
   *
   * The id is as secret as the platform keeps it: return it only if clients cannot set it
   * themselves, or if requests are authenticated. For anonymous requests it must have at least 32
   * characters.
   *
   * A request that is found by such an id costs one more read of the store, and `initialize` one
   * more read and two more writes.
   *
   * Default: the sessions are named by `Mcp-Session-Id` alone.
   */
  readonly sessionIdOf?: SessionIdOf;
  /**
   * How many sessions one principal may have in the store, 1 to 1,000. Beyond it, `onSessionLimit`
   * decides. The limit holds over all nodes, unless the backend's listings lag behind its writes,
   * as on DynamoDB. Each `initialize` then lists that many sessions at most, twice with `refuse`
   * and once with `end-oldest`. No other request reads more.
   *
   * Sessions of nobody count by {@link SessionOptions.addressOf} only.
   *
   * Default: no limit.
   */
  readonly maxSessionsPerPrincipal?: number;
  /**
   * What happens to a session beyond `maxSessionsPerPrincipal`.
   *
   * - `refuse`: it is refused with 429 and `Retry-After`.
   * - `end-oldest`: the session that was not used for the longest time is ended.
   *
   * Default: `refuse`.
   */
  readonly onSessionLimit?: 'refuse' | 'end-oldest';
  /**
   * Returns the address of an anonymous request, or anything that many sessions of one client have
   * in common: `maxSessionsPerPrincipal` then applies to the sessions that this process began for
   * it within the last hour. Each process counts for itself. Take the address from your proxy, not
   * from a header that clients can set.
   *
   * Default: sessions of nobody are not counted.
   */
  readonly addressOf?: AddressOf;
  /**
   * Is awaited before a session begins, and may refuse it with a status: return `{ status: 403 }`,
   * or nothing to let it begin.
   *
   * Default: every session may begin.
   */
  readonly onSessionCreate?: OnSessionCreate<AuthInfo>;
  /**
   * How requests are answered.
   *
   * - `auto`: a client that lists `text/event-stream` in `Accept` gets a stream, which it can
   *   resume. Any other client gets one JSON body with the response, however long the call takes.
   * - `json`: each client that can read JSON gets JSON, for proxies without streams. Progress and
   *   log messages of a call stay in its log, and a connection that breaks loses the response.
   *
   * While a call is answered as JSON, what its handler asks the client goes to the standalone
   * stream. If that is not open, asking fails with an error.
   *
   * Default: `auto`.
   */
  readonly responses?: 'auto' | 'json';
}
