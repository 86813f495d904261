import type { Session, SessionStore, StateSchemas, UserRecordOptions } from '@mcp-session/core';
import type { AllowedOrigins } from '../request/gate.ts';
import type { PrincipalOf } from '../request/principal.ts';
import type { UserContext } from '../request/user.ts';
import type { AuthFacts, ServerLike } from '../session/sdk-adapter.ts';
import type { StoreStatus } from '../store/health.ts';
import type { LogOptions } from './log-options.ts';
import type { SessionOptions } from './session-options.ts';

/** What `createServer` gets. */
export interface ServerContext<S, AuthInfo, U extends StateSchemas = StateSchemas> extends UserContext<U> {
  /** The durable session. Its state and log are available on every node and after every restart. */
  readonly session: Session<S>;
  /**
   * Whether another instance began the session and this server continues it. A restored server gets
   * `notifications/initialized` again, so `oninitialized` should do work that is done once per
   * session only if this is `false`. See "What a restored server says" in the README.
   */
  readonly restored: boolean;
  /** The request that needs the server. Later requests of the session may have another token. */
  readonly request: Request;
  /** The verified token of that request; `undefined` if it has none. */
  readonly authInfo: AuthInfo | undefined;
}

/** Options of `createSessionHandler`. */
export interface SessionHandlerOptions<
  Server extends ServerLike,
  AuthInfo extends AuthFacts,
  S extends StateSchemas = StateSchemas,
  U extends StateSchemas = StateSchemas,
>
  extends SessionOptions<AuthInfo, U>, LogOptions {
  /** The store of the sessions. The handler does not close it. */
  readonly store: SessionStore<S>;
  /**
   * Makes the MCP server of one session. Return a new instance each time. The function is called
   * when a session begins, and again on each node that restores it. Keep what must outlive the
   * process in `session.state`.
   */
  readonly createServer: (context: ServerContext<S, AuthInfo, U>) => Server | Promise<Server>;
  /**
   * Returns the principal of a request, from its verified token or from the request itself. A
   * session belongs to the principal that began it; no other principal finds it.
   *
   * Return `null` for an anonymous request. An authenticated request without a principal is
   * rejected with 500. So is a principal that is no string of 1 to 1,024 bytes: return `String(id)`
   * for a number.
   *
   * Default: issuer and subject, from `iss` and `sub` (or `issuer` and `subject`) in
   * `authInfo.extra`.
   */
  readonly principal?: PrincipalOf<AuthInfo>;
  /**
   * Schemas and lifetime of the users' own records, which `createServer` gets as `user`. See
   * `SessionStore.forPrincipal`.
   *
   * Default: any key and any JSON value, for 90 days after the last use.
   */
  readonly user?: UserRecordOptions<U>;
  /**
   * How many sessions this process keeps in memory. Beyond the limit, the least recently used ones
   * are evicted; their next request restores them. Busy sessions stay.
   *
   * Default: `1_000`.
   */
  readonly maxLocalSessions?: number;
  /**
   * How long an idle session stays in memory, in milliseconds.
   *
   * Default: 5 minutes (`300_000`).
   */
  readonly localIdleMs?: number;
  /**
   * How long clients wait before they reconnect after the server closed their connection and
   * continues: a handler let its client poll, a token expired, or the session moved. In
   * milliseconds.
   *
   * Default: `1_000`.
   */
  readonly retryIntervalMs?: number;
  /**
   * How long clients wait before they reconnect after their connection broke or the server stopped,
   * in milliseconds. Each connection gets a value of its own, at most 25 % less or more. Clients of
   * the official SDKs try twice and then give up, so a restart may take one and a half times this
   * value.
   *
   * Default: `7_000`, for restarts of 10 seconds.
   */
  readonly restartRetryMs?: number;
  /**
   * How long a connection stays open, in milliseconds: then it ends with `retry`, and its client
   * resumes the stream after `retryIntervalMs`. Set it where open connections cost money, or where
   * a platform ends them. The connection of a call whose client cannot resume it stays open.
   *
   * Default: `Infinity`.
   */
  readonly maxStreamMs?: number;
  /**
   * Whether clients may open the standalone stream. With `false`, a GET gets 405, as a server
   * without that stream answers (MCP 2025-11-25, basic/transports, Listening for Messages), and
   * messages that belong to no request do not reach clients. Streams of requests are resumed all
   * the same.
   *
   * Default: `true`.
   */
  readonly standaloneStream?: boolean;
  /**
   * How long a GET waits while the store fails or its session moves, in milliseconds. Then it gets
   * a stream that ends with `retry`. `0`: it gets 503 at once.
   *
   * Default: 10 seconds (`10_000`).
   */
  readonly holdMs?: number;
  /**
   * How often a comment is sent on a connection that has nothing else to send, in milliseconds, so
   * that no proxy closes it; `0`: never. A comment also renews the session: a session with an open
   * connection does not expire.
   *
   * Default: 15 seconds (`15_000`).
   */
  readonly keepAliveMs?: number;
  /**
   * How long a node counts as alive after its last heartbeat, in milliseconds. When that time is
   * up, clients that resume one of its requests receive an error. A node that has renewed its lease
   * gets one more: its event loop may only have been blocked. On SQLite and PostgreSQL they do
   * not wait for it if the node's process has ended.
   *
   * Default: 15 seconds (`15_000`).
   */
  readonly leaseMs?: number;
  /**
   * How long a client may be away before its request is abandoned, in milliseconds: the handler's
   * signal is aborted, and an error becomes the response. A client is away while it has no
   * connection for the request, on any node; a client that polls is away only between its
   * connections. Choose more than a client needs to reconnect, and the same on all nodes.
   *
   * Default: never. A lost connection cancels nothing.
   */
  readonly abandonAfterMs?: number;
  /**
   * How long it may take to make and initialize a server, or to restore one, in milliseconds.
   * `createServer` and `onRestore` are part of it. A request that waits longer gets 503, and the
   * server is closed.
   *
   * Default: 30 seconds (`30_000`).
   */
  readonly setupTimeoutMs?: number;
  /**
   * The largest body of a request, in bytes. A body that a framework has parsed is not measured.
   * Default: 4 MiB (`4_194_304`).
   */
  readonly maxBodyBytes?: number;
  /**
   * How many requests of one session this process answers at the same time. One more is refused
   * with 429. A request counts until it is answered or cancelled, even if its client has
   * disconnected. Responses and notifications of a session are not counted.
   *
   * Default: `1_000`.
   */
  readonly maxOpenRequests?: number;
  /**
   * The same limit for all requests of one principal, with and without a session. It does not apply
   * to anonymous requests.
   *
   * Default: `1_000`.
   */
  readonly maxOpenRequestsPerPrincipal?: number;
  /**
   * The same limit for all requests that this process answers. One more is refused with 503.
   *
   * Default: `10_000`.
   */
  readonly maxOpenRequestsPerProcess?: number;
  /**
   * How many GETs this process keeps open: standalone streams, and streams that clients resume.
   * Beyond the limit, a GET is refused with 503. The stream of a POST is not counted, because its
   * requests are. `subscriptions/listen` of revision 2026-07-28 counts until the SDK has answered.
   *
   * Default: `10_000`.
   */
  readonly maxOpenStreams?: number;
  /**
   * The same limit for one principal, beyond which a GET is refused with 429. It does not apply to
   * anonymous sessions.
   *
   * Default: `1_000`.
   */
  readonly maxOpenStreamsPerPrincipal?: number;
  /**
   * Names the version of what `createServer` makes, such as a build number. When a session gets a
   * server of another version, its client is notified once that the lists of tools, prompts and
   * resources have changed (`notifications/…/list_changed`).
   *
   * Default: the version is what the server presents to `initialize`: its name, version,
   * capabilities and instructions. Set it if lists can change while those stay the same, or if
   * those depend on the request.
   */
  readonly revision?: string;
  /**
   * Is awaited after a session was restored and before its request is handled. If it throws, the
   * request fails.
   */
  readonly onRestore?: (restored: { readonly session: Session<S>; readonly server: Server }) => void | Promise<void>;
  /**
   * What happens while the store fails.
   *
   * - `fail`: requests get 503 with `Retry-After`. A request whose response cannot be stored gets a
   *   JSON-RPC error.
   * - `degrade`: sessions that this process has in memory continue for their principals. Messages
   *   that cannot be stored are sent without an event id and cannot be resumed. All other sessions,
   *   new sessions, GET and DELETE get 503.
   *
   * Default: `fail`.
   */
  readonly onStoreError?: 'fail' | 'degrade';
  /**
   * Is called once when requests find that the store fails, and once when they find that it works
   * again. What it throws becomes a process warning.
   *
   * Default: nothing is called.
   */
  readonly onStoreStatus?: (status: StoreStatus) => void;
  /**
   * The allowed values of `Host`: `mcp.example.com` with any port, `localhost:3000` with this port
   * only, `*` for any host.
   *
   * Default: any host. A request over a loopback connection must name this machine (`localhost`,
   * `127.0.0.1`, `[::1]`), since a page could have its own name resolve to it; only `toNodeHandler`
   * knows the connection. If a proxy on the same machine passes on the name that clients use, list
   * that name.
   */
  readonly allowedHosts?: readonly string[];
  /**
   * The origins of allowed pages: as browsers write them (`https://app.example.com`), `'any'`, or
   * `'same-host'`, for which `Origin` must have the host of `Host`. `'any'` lets any page act as
   * the browser's user. `[]` allows no page.
   *
   * Listed pages, or any, may also read the responses: preflights are answered and CORS headers are
   * sent. A request without `Origin` passes, unless its browser says that another site caused it
   * (`Sec-Fetch-Site`). The value is checked when the handler is made.
   *
   * Default: `same-host`, and any origin for a request with `authInfo` and a bearer token in
   * `Authorization`. Hosted connectors such as the one of claude.ai send the origin of their site.
   */
  readonly allowedOrigins?: AllowedOrigins;
}
