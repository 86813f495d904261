import { SessionError } from '@mcp-session/core';
import { kindOf } from '@mcp-session/core/backend';
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { HttpError, sessionMoves } from '../protocol/http-errors.ts';
import type { AnySession, AnyStore } from './session-handle.ts';
import { factsOf, updateFacts } from './session-record.ts';

/** The kind of the record that leads from a platform's session id to a session. */
const KIND = 'platform-session';
/** The metadata of the record that holds the id of the session. */
const SESSION = 'session';
/**
 * The shortest id of a platform that leads to a session of nobody: anyone who guesses it can use
 * the session.
 */
const MIN_ANONYMOUS_LENGTH = 32;
/** How often a record is created anew while the id of an earlier one is not free yet. */
const MAX_ATTEMPTS = 5;

/** Returns the id by which a platform names the session of a request; `undefined`: by none. */
export type SessionIdOf = (request: Request) => string | undefined;

/** A session, as far as its record depends on it. */
type Bound = Pick<AnySession, 'id' | 'principal'>;

/**
 * The sessions of platforms that insist on a session id of their own (`sessionIdOf`). Such an id
 * never becomes the id of a session. It leads to a record, which holds the id of the session that a
 * principal began last under that id. All nodes read the same record.
 *
 * A record lives like its session: it has the session's TTL and is renewed with the session, and
 * this package ends it when it ends the session or finds that the session is gone. It names no
 * principal: its id is a hash of the principal and the platform's id.
 */
export class PlatformSessions {
  readonly #store: AnyStore;
  readonly #idOf: SessionIdOf | undefined;
  readonly #onError: (error: unknown) => void;
  /** The records of sessions that this node has in memory; `undefined`: the record is gone. */
  readonly #records = new WeakMap<AnySession, AnySession | undefined>();

  constructor(store: AnyStore, idOf: SessionIdOf | undefined, onError: (error: unknown) => void) {
    this.#store = store;
    this.#idOf = idOf;
    this.#onError = onError;
  }

  /** Whether sessions may have records: the option is set. */
  get isUsed(): boolean {
    return this.#idOf !== undefined;
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
    return sessionOf(await this.#read(recordId(platformId, principal)));
  }

  /**
   * Lets a platform's id lead to a new session.
   *
   * @throws HttpError 400 like {@link find}, 503 if the id of an earlier record does not get free.
   */
  async bind(platformId: string, session: AnySession): Promise<void> {
    const id = recordId(platformId, session.principal);
    await updateFacts(session, ({ record, ...others }) => ({ ...others, record: { ...record, platformRecord: id } }));
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const record =
        (await this.#replace(id, session)) ?? (await this.#create(id, session)) ?? (await this.#replace(id, session));
      if (record !== undefined) {
        this.#records.set(session, record);
        return;
      }
      // The id of a record that has ended or expired stays taken until a sweep.
      if (attempt > 1) await pause(10 * attempt);
      await this.#store.sweep();
    }
    throw sessionMoves();
  }

  /** Lets the record of a session that is used live as long as the session. */
  async renew(session: AnySession): Promise<void> {
    const { ttlMs, record: facts } = factsOf(session);
    if (facts.platformRecord === undefined) return;
    if (!this.#records.has(session)) this.#records.set(session, await this.#read(facts.platformRecord));
    const record = this.#records.get(session);
    if (record === undefined) return;
    const isGone = await isMissing(async () => {
      if (factsOf(record).ttlMs === ttlMs) await record.touch();
      else await updateFacts(record, (current) => ({ ...current, ttlMs }));
    });
    if (isGone) this.#records.set(session, undefined);
  }

  /** Ends the record that leads to a session, if there is one. Does not fail. */
  async release(session: AnySession): Promise<void> {
    const { platformRecord } = factsOf(session).record;
    if (platformRecord !== undefined) await this.#release(platformRecord, session.id);
  }

  /** The same for a session that is gone. */
  async unbind(platformId: string, { id, principal }: Bound): Promise<void> {
    await this.#release(recordId(platformId, principal), id);
  }

  /**
   * A session that is begun at the same moment under the same id may lose the record. Its client
   * gets 404 and begins anew.
   */
  async #release(id: string, session: string): Promise<void> {
    try {
      const record = await this.#read(id);
      if (sessionOf(record) === session) await record?.end({ keepId: false });
    } catch (error) {
      // The record expires by itself.
      this.#onError(error);
    }
  }

  #read(id: string): Promise<AnySession | undefined> {
    return this.#store.get(id, { principal: null, kind: KIND });
  }

  /** @returns `undefined` if there is no record. */
  async #replace(id: string, session: Bound): Promise<AnySession | undefined> {
    const record = await this.#read(id);
    const isGone = await isMissing(() => record?.updateMetadata(() => ({ [SESSION]: session.id })));
    return isGone ? undefined : record;
  }

  /** @returns `undefined` if the id is taken. */
  async #create(id: string, session: AnySession): Promise<AnySession | undefined> {
    const { ttlMs } = factsOf(session);
    try {
      return await this.#store.create({
        id,
        kind: KIND,
        principal: null,
        metadata: { [SESSION]: session.id },
        ...(ttlMs !== undefined && { ttlMs }),
        // It may come to lead to a younger session.
        maxLifetimeMs: Number.MAX_SAFE_INTEGER,
      });
    } catch (error) {
      if (error instanceof SessionError && error.code === 'SESSION_EXISTS') return undefined;
      throw error;
    }
  }
}

function sessionOf(record: AnySession | undefined): string | undefined {
  const id = record?.metadata[SESSION];
  return typeof id === 'string' ? id : undefined;
}

/** Runs work with a record. @returns Whether the record turned out to be gone. */
async function isMissing(work: () => Promise<unknown> | undefined): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (error instanceof SessionError && error.code === 'SESSION_NOT_FOUND') return true;
    throw error;
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
