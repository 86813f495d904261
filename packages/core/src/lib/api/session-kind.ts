import type {
  CountSessionsOptions,
  CreateSessionOptions,
  GetSessionOptions,
  ListSessionsOptions,
} from '../options/session-options.ts';
import type { AnySchemas } from '../values/standard-schema.ts';
import type { SessionList } from './session-list.ts';
import type { Session } from './session.ts';

/** What {@link SessionKind.find} knows of a session that belongs to the asking principal. */
export type FoundSession<S> =
  | { readonly status: 'live'; readonly session: Session<S> }
  /** The session has expired at most `graceMs` ago. */
  | { readonly status: 'expired' };

/**
 * The sessions of one kind, with schemas and lifetimes of their own. The methods are those of the
 * store, for this kind only, and throw like them.
 */
export interface SessionKind<S = AnySchemas> {
  readonly kind: string;

  /** Creates a session of this kind. See `SessionStore.create`. */
  create(options?: Omit<CreateSessionOptions, 'kind'>): Promise<Session<S>>;

  /** Finds a live session of this kind and of the given principal. See `SessionStore.get`. */
  get(id: string, options?: Omit<GetSessionOptions, 'kind'>): Promise<Session<S> | undefined>;

  /**
   * Like {@link get}, and tells an expired session from an unknown one to its own principal. Makes
   * the same read.
   *
   * @returns `undefined` if the session is unknown, malformed, ended, of another kind, of another
   * principal, or has expired longer than `graceMs` ago.
   */
  find(id: string, options?: Omit<GetSessionOptions, 'kind'>): Promise<FoundSession<S> | undefined>;

  /** Lists live sessions of this kind. See `SessionStore.list`. */
  list(options?: Omit<ListSessionsOptions, 'kind'>): Promise<SessionList<S>>;

  /** Counts live sessions of this kind. See `SessionStore.count`. */
  count(options?: Omit<CountSessionsOptions, 'kind'>): Promise<number>;
}
