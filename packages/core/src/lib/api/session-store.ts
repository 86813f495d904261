import type { Capabilities } from '../contract/capabilities.ts';
import type {
  CountSessionsOptions,
  CreateSessionOptions,
  EndAllSessionsOptions,
  GetSessionOptions,
  ListSessionsOptions,
} from '../options/session-options.ts';
import type { SessionKindOptions } from '../options/kind-options.ts';
import type { UserRecordOptions } from '../options/user-options.ts';
import type { AnySchemas, StateSchemas } from '../values/standard-schema.ts';
import type { SessionKind } from './session-kind.ts';
import type { SessionList } from './session-list.ts';
import type { Session } from './session.ts';
import type { UserRecord } from './user-record.ts';

/**
 * Durable sessions in one backend. Every method throws a SessionError: `STORE_CLOSED` after
 * {@link close}, and `STORE_…` when the database fails.
 */
export interface SessionStore<S extends StateSchemas = AnySchemas> {
  /** Name of the backend, such as `sqlite`. */
  readonly backendName: string;
  /** Facts about the backend. */
  readonly capabilities: Capabilities;

  /**
   * Creates a session.
   *
   * @example
   * ```ts
   * import { createMemoryStore } from '@mcp-session/core/memory';
   *
   * const store = await createMemoryStore({ ttlMs: 60_000 });
   * const session = await store.create({ principal: 'user-1', metadata: { plan: 'free' } });
   * console.log(session.metadata); // { plan: 'free' }
   * await store.close();
   * ```
   *
   * @throws SessionError `SESSION_EXISTS` if the given id is taken, also by a session that expired
   * or ended a while ago; `INVALID_SESSION_ID`, `INVALID_PRINCIPAL`, `INVALID_KIND`, `NOT_JSON`,
   * `PROFILE_TOO_LARGE`.
   */
  create(options?: CreateSessionOptions): Promise<Session<S>>;

  /**
   * Finds a live session of the given principal. Counts as a use of the session.
   *
   * @example
   * ```ts
   * import { createMemoryStore } from '@mcp-session/core/memory';
   *
   * const store = await createMemoryStore();
   * const { id } = await store.create({ principal: 'user-1' });
   * console.log((await store.get(id, { principal: 'user-1' }))?.id === id); // true
   * console.log(await store.get(id, { principal: 'user-2' })); // undefined
   * await store.close();
   * ```
   *
   * @returns `undefined` if the session is unknown, malformed, expired, ended, of another kind, or
   * of another principal. The caller cannot tell which.
   * @throws SessionError `INVALID_PRINCIPAL`, `INVALID_KIND`.
   */
  get(id: string, options?: GetSessionOptions): Promise<Session<S> | undefined>;

  /**
   * Finds a live session of any kind and any principal, for administration. Nothing that is done
   * with the handle renews the session, except `touch()`: neither reading its state and its log,
   * nor writing to them.
   *
   * @example
   * ```ts
   * import { createMemoryStore } from '@mcp-session/core/memory';
   *
   * const store = await createMemoryStore();
   * const { id } = await store.create({ principal: 'user-1' });
   * console.log((await store.inspect(id))?.principal); // user-1
   * await store.close();
   * ```
   *
   * @returns `undefined` if the session is unknown, malformed, expired or ended.
   */
  inspect(id: string): Promise<Session<S> | undefined>;

  /**
   * Lists live sessions, for administration. Does not renew them, and neither does what is done
   * with the handles, as with those of {@link inspect}. Each has the counts of its events and keys.
   *
   * @throws SessionError `INVALID_KIND`, `INVALID_PRINCIPAL`, or `INVALID_SESSION_ID` for a cursor
   * that no list has returned. RangeError for the limit.
   */
  list(options?: ListSessionsOptions): Promise<SessionList<S>>;

  /**
   * Counts live sessions exactly. The cost grows with their number: use it for administration and
   * metrics, not in requests. Throws like {@link list}.
   */
  count(options?: CountSessionsOptions): Promise<number>;

  /**
   * Counts live sessions by kind. Kinds without any are left out. Reads every session, so the cost
   * grows with the store: use it for administration and metrics, not in requests.
   */
  countByKind(): Promise<ReadonlyMap<string, number>>;

  /**
   * Ends every session of a principal at once, for instance when an account is closed. Costs a
   * write per session. A session that begins during the call may be left out, and so may one that
   * a listing of the backend does not show yet.
   *
   * @returns How many sessions this call has ended.
   * @throws SessionError `INVALID_KIND`, `INVALID_PRINCIPAL`, or `STORE_…` if the store fails. Some
   * sessions may have ended then; the call can be repeated.
   */
  endAll(options: EndAllSessionsOptions): Promise<number>;

  /**
   * The sessions of one kind, with schemas and lifetimes of their own. Makes no call to the
   * database. For the kinds of these packages, see {@link CreateSessionOptions.kind}.
   *
   * @example
   * ```ts
   * import { createMemoryStore } from '@mcp-session/core/memory';
   *
   * const store = await createMemoryStore();
   * const drafts = store.ofKind('draft', { ttlMs: 86_400_000 });
   * const { id } = await drafts.create({ principal: 'user-1' });
   * console.log((await drafts.get(id, { principal: 'user-1' }))?.kind); // draft
   * console.log(await store.get(id, { principal: 'user-1' })); // undefined
   * await store.close();
   * ```
   *
   * @throws SessionError `INVALID_KIND`. TypeError or RangeError for an option.
   */
  ofKind<const K extends StateSchemas = StateSchemas>(kind: string, options?: SessionKindOptions<K>): SessionKind<K>;

  /**
   * The record of one user: a state that all sessions and requests of a principal share. It is what
   * a server keeps for clients that have no session, or a new one for each call. Makes no call to
   * the database until the state is used.
   *
   * @example
   * ```ts
   * import { createMemoryStore } from '@mcp-session/core/memory';
   *
   * const store = await createMemoryStore();
   * await store.forPrincipal('user-1').state.set('theme', 'dark');
   * console.log(await store.forPrincipal('user-1').state.get('theme')); // dark
   * console.log(await store.forPrincipal('user-2').state.get('theme')); // undefined
   * await store.close();
   * ```
   *
   * @param principal The owner, from a verified identity. There is no record for `null`: it is not
   * one user.
   * @throws SessionError `INVALID_PRINCIPAL`. TypeError or RangeError for an option.
   */
  forPrincipal<const U extends StateSchemas = StateSchemas>(
    principal: string,
    options?: UserRecordOptions<U>,
  ): UserRecord<U>;

  /**
   * Removes expired and ended sessions in bounded steps until nothing is left to remove. Rests
   * between two steps for as long as the last step took. The store also sweeps in the background
   * unless the option `sweep` is `false`.
   *
   * @returns How many session records were removed.
   */
  sweep(): Promise<number>;

  /** Makes one round trip to the database, for a health check. */
  ping(): Promise<void>;

  /**
   * Refuses all further calls, ends tails, stops timers, waits for calls in progress, and closes
   * what the store opened itself. Sessions stay stored. Safe to call again.
   */
  close(): Promise<void>;
}
