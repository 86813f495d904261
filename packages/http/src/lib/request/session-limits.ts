import { SessionError } from '@mcp-session/core';
import { kindOf } from '@mcp-session/core/backend';
import { HttpError } from '../protocol/http-errors.ts';
import type { AnySession, AnyStore } from '../store/session-handle.ts';
import { AddressCounts, type Begun } from './address-counts.ts';
import type { PlatformSessions } from '../store/platform-sessions.ts';

/** After how many seconds a client may try again to begin a session. */
const RETRY_AFTER = { 'retry-after': '60' };
/** How many pages of a listing one `initialize` reads. Pages of some databases are short. */
const MAX_PAGES = 5;
/** How many sessions beyond the limit are ended by one `initialize`. */
const MAX_EXCESS = 50;

/**
 * Returns the address whose sessions of nobody count together; `undefined`: they are not counted.
 */
export type AddressOf = (request: Request) => string | undefined;

export interface SessionLimitsOptions {
  readonly store: AnyStore;
  /** `undefined`: no limit. */
  readonly max: number | undefined;
  readonly endsOldest: boolean;
  readonly addressOf: AddressOf | undefined;
  readonly platformSessions: Pick<PlatformSessions, 'release'>;
}

/** A session that may be begun. */
export interface Admission {
  /** Is awaited when the session exists. @throws HttpError 429 if it is one too many. */
  readonly confirm: (session: AnySession) => Promise<void>;
  /** The session could not be begun. @returns The error for its client. */
  readonly failed: (error: unknown) => unknown;
}

const ADMITTED: Admission = { confirm: async () => undefined, failed: (error) => error };

/**
 * Limits how many sessions a principal has in the store.
 *
 * A principal's sessions are listed after the new one was created, by every node. The last one to
 * be created sees all others, so no node lets one too many stay. Of two that race for the last
 * place, both may be refused. With `refuse`, they are also listed before, so that a refused
 * `initialize` mostly costs one read and no write.
 *
 * Sessions of nobody are not one user's. They are counted by address, in this process only.
 */
export class SessionLimits {
  readonly #options: SessionLimitsOptions;
  readonly #addresses = new AddressCounts();

  constructor(options: SessionLimitsOptions) {
    this.#options = options;
  }

  /** Call it before a session is begun. @throws HttpError 429 */
  async admit(principal: string | null, request: Request): Promise<Admission> {
    const { max, endsOldest, addressOf } = this.#options;
    if (max === undefined) return ADMITTED;
    if (principal === null) return this.#admitAddress(max, addressOf?.(request));
    if (!endsOldest && (await this.#list(principal, max)).length >= max) throw tooMany(max);
    return {
      confirm: (session) => this.#confirm(session, principal, max),
      // Another node needed its place while it was being begun.
      failed: (error) => (error instanceof SessionError && error.code === 'SESSION_NOT_FOUND' ? tooMany(max) : error),
    };
  }

  async #confirm({ id }: AnySession, principal: string, max: number): Promise<void> {
    const { endsOldest } = this.#options;
    const all = await this.#list(principal, max + (endsOldest ? MAX_EXCESS : 1));
    if (all.length <= max) return;
    if (!endsOldest) throw tooMany(max);
    const others = all.filter((session) => session.id !== id).toSorted((a, b) => a.lastActiveAt - b.lastActiveAt);
    await Promise.all(others.slice(0, all.length - max).map((session) => this.#end(session)));
  }

  async #list(principal: string, limit: number): Promise<AnySession[]> {
    const found: AnySession[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES && found.length < limit; page++) {
      const left = Math.min(limit - found.length, 1_000);
      const { sessions, nextCursor } = await this.#options.store.list({ principal, limit: left, cursor });
      found.push(...sessions);
      if (nextCursor === undefined) break;
      cursor = nextCursor;
    }
    return found;
  }

  async #admitAddress(max: number, address: unknown): Promise<Admission> {
    if (address === undefined || address === null) return ADMITTED;
    if (typeof address !== 'string') {
      throw new TypeError(`Option addressOf returned ${kindOf(address)}; return a string, or undefined for none`);
    }
    const begun = this.#addresses.of(address);
    const excess = begun.slice(0, Math.max(0, begun.length + 1 - max));
    const oldest = excess.filter(({ id }) => id !== undefined);
    if (excess.length > 0 && (!this.#options.endsOldest || oldest.length < excess.length)) throw tooMany(max);
    const mine = this.#addresses.add(address);
    for (const each of oldest) this.#addresses.remove(address, each);
    return {
      confirm: async ({ id }) => {
        mine.id = id;
        await Promise.all(oldest.map((each) => this.#endBegun(each)));
      },
      failed: (error) => {
        this.#addresses.remove(address, mine);
        return error;
      },
    };
  }

  async #endBegun({ id = '' }: Begun): Promise<void> {
    const session = await this.#options.store.get(id, { principal: null });
    if (session !== undefined) await this.#end(session);
  }

  async #end(session: AnySession): Promise<void> {
    await session.end();
    await this.#options.platformSessions.release(session);
  }
}

function tooMany(max: number): HttpError {
  return new HttpError(429, `Too Many Requests: user has ${max} sessions`, undefined, RETRY_AFTER, 'too-many-sessions');
}
