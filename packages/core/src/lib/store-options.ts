import type { Metadata, ProtocolFacts } from './profile.ts';

/** A session to create. */
export interface CreateSessionOptions {
  /** Default: a new UUID v7 from a secure generator. Never an id that a client chose. */
  readonly id?: string;
  /** What the session is used for: a lower-case word. Default: `session`. */
  readonly kind?: string;
  /** Whom the session belongs to, from a verified identity. Default: `null`, whoever has the id. */
  readonly principal?: string | null;
  /** Default: none. */
  readonly metadata?: Metadata;
  /** Default: none. */
  readonly protocol?: ProtocolFacts;
  /** Default: the store's `ttlMs`, as it is whenever the session is used. */
  readonly ttlMs?: number;
  /** Default: the store's `maxLifetimeMs`, as it is whenever the session is used. */
  readonly maxLifetimeMs?: number;
}

/** Who asks for a session. */
export interface GetSessionOptions {
  /** The principal that asks. Default: `null`, nobody: only sessions without a principal are found. */
  readonly principal?: string | null;
  /** The kind that is asked for; another kind is as good as unknown. Default: `session`. */
  readonly kind?: string;
}

/** Which sessions to count. */
export interface CountSessionsOptions {
  /** Default: `session`. */
  readonly kind?: string;
  /** Default: `undefined`, anyone's. `null`: only those without a principal. */
  readonly principal?: string | null | undefined;
}

/** Which sessions to list. */
export interface ListSessionsOptions extends CountSessionsOptions {
  /** `nextCursor` of the page before. Default: `undefined`, the first page. */
  readonly cursor?: string | undefined;
  /** Most sessions of the page, 1 to 1,000. Default: `100`. */
  readonly limit?: number;
}
