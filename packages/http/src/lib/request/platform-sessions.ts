import { SessionError } from '@mcp-session/core';
import { kindOf } from '@mcp-session/core/backend';
import { createHash } from 'node:crypto';
import { HttpError, sessionMoves } from '../protocol/http-errors.ts';
import type { AnySession, AnyStore } from '../store/session-handle.ts';

/** The kind of the record that leads from a platform's session id to a session. */
const KIND = 'platform-session';
/** The metadata of the record that holds the id of the session. */
const SESSION = 'session';
/**
 * How long the record is kept after its last use, whatever the options of the store: longer than
 * any session that is used. The id of an expired record stays taken until a sweep.
 */
const RECORD_LIFE = { ttlMs: 60 * 86_400_000, maxLifetimeMs: Number.MAX_SAFE_INTEGER };
/**
 * The shortest id of a platform that leads to a session of nobody: anyone who guesses it can use
 * the session.
 */
const MIN_ANONYMOUS_LENGTH = 32;

/** Returns the id by which a platform names the session of a request; `undefined`: by none. */
export type SessionIdOf = (request: Request) => string | undefined;

/**
 * The sessions of platforms that insist on a session id of their own (`sessionIdOf`). Such an id
 * never becomes the id of a session. It leads to a record of its principal, which holds the id of
 * the session that the principal began last under that id. All nodes read the same record.
 */
export class PlatformSessions {
  readonly #store: AnyStore;
  readonly #idOf: SessionIdOf | undefined;

  constructor(store: AnyStore, idOf: SessionIdOf | undefined) {
    this.#store = store;
    this.#idOf = idOf;
  }

  /** @throws TypeError if the option returned something else than an id. */
  idOf(request: Request): string | undefined {
    const id: unknown = this.#idOf?.(request) ?? undefined;
    if (id === undefined || (typeof id === 'string' && id !== '')) return id;
    throw new TypeError(`Option sessionIdOf returned ${kindOf(id)}; return a string, or undefined for none`);
  }

  /**
   * Reads which session a platform's id leads to.
   *
   * @returns `undefined`: to none.
   * @throws HttpError 400 if the id is too short for a session of nobody.
   */
  async find(platformId: string, principal: string | null): Promise<string | undefined> {
    const record = await this.#read(recordId(platformId, principal), principal);
    const id = record?.metadata[SESSION];
    return typeof id === 'string' ? id : undefined;
  }

  /**
   * Lets a platform's id lead to a new session.
   *
   * @throws HttpError 503 if an expired record was not swept yet.
   */
  async bind(platformId: string, { id: session, principal }: Pick<AnySession, 'id' | 'principal'>): Promise<void> {
    const id = recordId(platformId, principal);
    const metadata = { [SESSION]: session };
    const record = (await this.#read(id, principal)) ?? (await this.#create(id, principal, metadata));
    if (record === undefined) throw sessionMoves();
    if (record.metadata[SESSION] !== session) await record.updateMetadata(() => metadata);
  }

  #read(id: string, principal: string | null): Promise<AnySession | undefined> {
    return this.#store.get(id, { principal, kind: KIND });
  }

  /**
   * @returns The record, also if another node was faster; `undefined` if an expired one is there.
   */
  async #create(
    id: string,
    principal: string | null,
    metadata: { readonly [SESSION]: string },
  ): Promise<AnySession | undefined> {
    try {
      return await this.#store.create({ id, kind: KIND, principal, metadata, ...RECORD_LIFE });
    } catch (error) {
      if (!(error instanceof SessionError && error.code === 'SESSION_EXISTS')) throw error;
      return this.#read(id, principal);
    }
  }
}

/** @throws HttpError 400 */
function recordId(platformId: string, principal: string | null): string {
  if (principal === null && platformId.length < MIN_ANONYMOUS_LENGTH) {
    throw new HttpError(
      400,
      `Bad Request: the platform's session id of an anonymous request must have at least ${MIN_ANONYMOUS_LENGTH} characters`,
    );
  }
  return `platform-${createHash('sha256')
    .update(JSON.stringify([principal, platformId]))
    .digest('base64url')}`;
}
