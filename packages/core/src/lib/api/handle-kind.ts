import type { AnySchemas } from '../values/standard-schema.ts';
import type { SessionState } from './session-state.ts';
import type { Session } from './session.ts';

/** State that a client names by an id in its requests. */
export interface StateHandle<S = AnySchemas> {
  /** The name of the definition, `_`, and 128 random bits in 22 characters, such as `cart_Zm9…`. */
  readonly id: string;
  /** The owner; `null` means that anyone who knows the id may use it. */
  readonly principal: string | null;
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** When it expires unless it is used again, in Unix milliseconds, as far as this object knows. */
  readonly expiresAt: number;
  /** JSON values by key, as in a session. */
  readonly state: SessionState<S>;

  /**
   * Removes the state for every process at once. The id is unknown from then on.
   *
   * @returns `true` for exactly one caller.
   */
  destroy(): Promise<boolean>;
}

/** A page of handles, in no useful order. */
export interface HandleList<S> {
  /** May be shorter than the limit, even empty, before the last page. */
  readonly handles: readonly StateHandle<S>[];
  /** `undefined` on the last page. */
  readonly nextCursor: string | undefined;
}

/**
 * The handles of one definition. Every method also throws a SessionError: `INVALID_PRINCIPAL`, and
 * `STORE_…` if the database fails. A principal that is `undefined` is a TypeError.
 */
export interface HandleKind<S = AnySchemas> {
  readonly name: string;

  /**
   * Creates a handle. Return its id in the result of the tool.
   *
   * @param principal The owner, from a verified identity. With `null`, anyone who knows the id may
   * use the handle, and it lives for `maxLifetimeMs` at most, 24 hours by default.
   * @throws SessionError `HANDLE_LIMIT_REACHED` if the owner has `maxPerPrincipal` already.
   */
  create(principal: string | null): Promise<StateHandle<S>>;

  /**
   * Finds a live handle by the id that a client has sent. Counts as a use. Makes one read, whatever
   * the id is.
   *
   * @throws SessionError `HANDLE_NOT_FOUND`, in the same words for an id that is unknown,
   * malformed, destroyed, of another definition or of another principal. `HANDLE_EXPIRED` for
   * `expiredMs` after the expiry, to the owner alone; without a principal, to anyone who knows the
   * id.
   */
  open(id: string, principal: string | null): Promise<StateHandle<S>>;

  /**
   * The handle of a session of a revision that has sessions, so that a tool need not ask for an id
   * there. Creates one if the session has none, or if its handle has expired or was destroyed. It
   * belongs to the principal of the session, and it outlives the session.
   *
   * @throws SessionError `SESSION_NOT_FOUND`, `HANDLE_LIMIT_REACHED`. TypeError for an object that
   * no store has made.
   */
  of(session: Pick<Session, 'id' | 'principal'>): Promise<StateHandle<S>>;

  /**
   * Lists the live handles of a principal. Neither the listing nor a use of its handles renews
   * them: open a handle to use it. There is no list for `null`: it
   * would show the ids of everybody.
   *
   * @param cursor `nextCursor` of the previous page. Default: the first page.
   * @throws SessionError `INVALID_SESSION_ID` for a cursor that no list has returned.
   */
  list(principal: string, cursor?: string): Promise<HandleList<S>>;

  /**
   * Destroys a handle by the id that a client has sent.
   *
   * @returns `true` for exactly one caller; `false` if {@link open} would not find it.
   */
  destroy(id: string, principal: string | null): Promise<boolean>;

  /**
   * A sentence for the description of a tool: who can use a handle, and how long it is kept. MCP
   * 2026-07-28 asks tools to say so.
   */
  describe(): string;
}
