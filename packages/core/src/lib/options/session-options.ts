import { checkKind, checkOwner, DEFAULT_KIND } from '../values/ids.ts';
import { checkOptions, flag, type OptionNames } from '../values/option-checks.ts';
import type { Metadata, ProtocolFacts } from '../values/facts.ts';

/** A session to create. */
export interface CreateSessionOptions {
  /** Default: a new UUID v7 from a secure generator. Never use an id that a client chose. */
  readonly id?: string;
  /**
   * What the session is used for, as a lower-case word. Default: `session`.
   *
   * These packages keep records of the kinds `user`, `task`, `once`, `claim`, `bus`, `node` and
   * `platform-session`. Choose another word: they take such a session for a record of theirs.
   */
  readonly kind?: string;
  /**
   * The owner, from a verified identity. Default: `null`, anyone who knows the id. `undefined` is
   * refused as a mistake.
   */
  readonly principal?: string | null;
  /** Default: none. */
  readonly metadata?: Metadata;
  /** Default: none. */
  readonly protocol?: ProtocolFacts;
  /** Default: the store's `ttlMs` at each use of the session. */
  readonly ttlMs?: number;
  /** Default: the store's `maxLifetimeMs` at each use of the session. */
  readonly maxLifetimeMs?: number;
}

/** Who asks for a session. */
export interface GetSessionOptions {
  /**
   * The principal that asks. Default: `null`, which finds only sessions without a principal.
   * `undefined` is refused as a mistake.
   */
  readonly principal?: string | null;
  /** The kind to find. A session of another kind is as good as unknown. Default: `session`. */
  readonly kind?: string;
}

/** Which sessions to count. */
export interface CountSessionsOptions {
  /** Default: `session`. */
  readonly kind?: string;
  /**
   * `null` finds only sessions without a principal. Default: those of anyone. `undefined` is
   * refused as a mistake.
   */
  readonly principal?: string | null;
}

/** Which sessions to list. */
export interface ListSessionsOptions extends CountSessionsOptions {
  /** `nextCursor` of the previous page. Default: `undefined`, the first page. */
  readonly cursor?: string | undefined;
  /** Maximum number of sessions of the page, 1 to 1,000. Default: `100`. */
  readonly limit?: number;
}

/** How to end a session. */
export interface EndSessionOptions {
  /**
   * Whether the id stays taken for `tombstoneMs`. Use `false` if nobody knows the id. Default:
   * `true`.
   */
  readonly keepId?: boolean;
}

/** Whose sessions to end. */
export interface EndAllSessionsOptions extends EndSessionOptions {
  /** The principal, or `null` for all sessions without one. Required. */
  readonly principal: string | null;
  /** Default: `session`. */
  readonly kind?: string;
}

/** Methods of the store whose options name a kind and a principal. */
type Method = 'create' | 'get' | 'find' | 'list' | 'count' | 'endAll';

const PRINCIPAL_KIND: OptionNames<GetSessionOptions> = {
  principal: ['owner', 'user', 'userId', 'subject', 'sub'],
  kind: ['type'],
};
const CREATE: OptionNames<CreateSessionOptions> = {
  ...PRINCIPAL_KIND,
  id: ['sessionId'],
  metadata: ['meta', 'data'],
  protocol: [],
  ttlMs: ['ttl', 'expiresIn'],
  maxLifetimeMs: ['lifetime'],
};
const LIST: OptionNames<ListSessionsOptions> = {
  ...PRINCIPAL_KIND,
  cursor: ['after', 'nextCursor', 'page'],
  limit: ['pageSize', 'max'],
};
const END: OptionNames<EndSessionOptions> = { keepId: ['tombstone'] };
const KNOWN: Readonly<Record<Method, OptionNames>> = {
  create: CREATE,
  get: PRINCIPAL_KIND,
  find: PRINCIPAL_KIND,
  list: LIST,
  count: PRINCIPAL_KIND,
  endAll: { ...PRINCIPAL_KIND, ...END },
};

/** Methods that treat a principal that was left out as everyone. */
const FOR_ALL: ReadonlySet<Method> = new Set(['list', 'count']);

/**
 * Checks the names of a method's options, and the values of those that all methods have.
 *
 * @param fixed The kind, where the options cannot name it.
 * @returns The principal as given; `undefined` if it was left out.
 * @throws TypeError for a name. SessionError `INVALID_KIND`, `INVALID_PRINCIPAL`.
 */
export function checkAsked(
  options: CountSessionsOptions,
  method: Method,
  fixed?: string,
): { readonly kind: string; readonly principal: string | null | undefined } {
  checkOptions(options, KNOWN[method], method);
  if (fixed !== undefined && 'kind' in options) {
    throw new TypeError(`Option kind of ${method} is set by ofKind('${fixed}'); leave it out`);
  }
  const { kind = fixed ?? DEFAULT_KIND, principal } = options;
  // Often the result of a failed lookup. Treated as omitted, it would mean everyone or nobody.
  if (principal === undefined && 'principal' in options) {
    const or = FOR_ALL.has(method) ? ', or leave it out for all' : '';
    throw new TypeError(`Option principal of ${method} is undefined; give null for nobody${or}`);
  }
  checkKind(kind);
  if (principal !== undefined) checkOwner(principal);
  return { kind, principal };
}

/**
 * @returns The query, and whether the ids stay taken.
 * @throws Like {@link checkAsked}. TypeError without a principal.
 */
export function checkEndAll(options: EndAllSessionsOptions): {
  readonly query: { readonly kind: string; readonly principal: string | null };
  readonly keepId: boolean;
} {
  const { kind, principal } = checkAsked(options, 'endAll');
  if (principal === undefined) {
    throw new TypeError('Option principal of endAll is missing; name a principal, or give null for sessions of nobody');
  }
  return { query: { kind, principal }, keepId: flag('keepId', options.keepId, true) };
}

/** @returns Whether the id stays taken. */
export function checkEnding(options: EndSessionOptions): boolean {
  checkOptions(options, END, 'end');
  return flag('keepId', options.keepId, true);
}
