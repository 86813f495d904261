import { setTimeout as pause } from 'node:timers/promises';
import { SessionError } from './errors.ts';
import { SessionEvents } from './events/events.ts';
import { decodeProfile, encodeProfile, type Metadata, type Profile, type ProtocolFacts } from './session/profile.ts';
import type { SessionRow } from './contract/rows.ts';
import { SessionContext, type Shared } from './session/context.ts';
import { SessionState } from './state/state.ts';
import { checkEnding, type EndSessionOptions } from './call-options.ts';
import { synchronous } from './runtime/synchronous.ts';
import type { AnySchemas } from './values/standard-schema.ts';

/** How often a change of the profile may lose against other processes. */
const MAX_PROFILE_ATTEMPTS = 50;

/**
 * A durable, principal-bound record with a state and a log. An object of this class is a handle: any number of them, in any process, may stand for
 * one session. Times and facts are as of when the handle was made or last used; state and events are always read from the store.
 */
export class Session<S = AnySchemas> {
  readonly id: string;
  readonly kind: string;
  /** Whom the session belongs to; `null`: whoever has the id. */
  readonly principal: string | null;
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** Number of the newest event of the log when this handle was made; 0: there was none. */
  readonly lastSeq: number;
  readonly state: SessionState<S>;
  readonly events: SessionEvents;
  readonly #context: SessionContext;
  readonly #shared: Shared;
  #profile: Profile;
  /** The profile as it is stored. */
  #profileText: string;
  #version: number;

  /** @internal */
  constructor(shared: Shared, row: SessionRow) {
    this.id = row.id;
    this.kind = row.kind;
    this.principal = row.principal;
    this.createdAt = row.createdAt;
    this.lastSeq = row.lastSeq;
    this.#shared = shared;
    this.#profile = decodeProfile(row.profile);
    this.#profileText = row.profile;
    this.#version = row.version;
    const { ttlMs = shared.options.ttlMs, maxLifetimeMs = shared.options.maxLifetimeMs } = this.#profile;
    this.#context = new SessionContext(shared, row, { ttlMs, maxLifetimeMs });
    this.state = new SessionState(this.#context);
    this.events = new SessionEvents(this.#context);
  }

  /** When the session was last used, in Unix milliseconds, as far as this handle knows. */
  get lastActiveAt(): number {
    return this.#context.touchedAt;
  }

  /** When the session expires if it is not used again, in Unix milliseconds, as far as this handle knows. */
  get expiresAt(): number {
    return this.#context.expiresAt;
  }

  /** Facts for the application, as this handle saw them last. */
  get metadata(): Metadata {
    return this.#profile.metadata;
  }

  /** Facts of the protocol, as this handle saw them last. */
  get protocol(): ProtocolFacts {
    return this.#profile.protocol;
  }

  /**
   * Replaces the metadata by what `change` makes of it, atomically. `change` can be called again with newer metadata.
   *
   * @throws SessionError `SESSION_NOT_FOUND`, `NOT_JSON`, `PROFILE_TOO_LARGE`, `PROFILE_CONFLICT` after 50 lost attempts.
   */
  async updateMetadata(change: (current: Metadata) => Metadata): Promise<Metadata> {
    return (
      await this.#updateProfile((profile) => ({
        ...profile,
        metadata: synchronous(change(profile.metadata), 'updateMetadata'),
      }))
    ).metadata;
  }

  /** Replaces the protocol's facts likewise; a fact that becomes `undefined` is removed. Throws as {@link updateMetadata}. */
  async updateProtocol(change: (current: ProtocolFacts) => ProtocolFacts): Promise<ProtocolFacts> {
    return (
      await this.#updateProfile((profile) => ({
        ...profile,
        protocol: synchronous(change(profile.protocol), 'updateProtocol'),
      }))
    ).protocol;
  }

  /**
   * Renews the session. Writes only when the last renewal that this handle knows of is `touchIntervalMs` ago.
   *
   * @throws SessionError `SESSION_NOT_FOUND` where the write finds that the session has expired or was ended.
   */
  async touch(): Promise<void> {
    await this.#shared.operations.run(async () => {
      const live = await this.#context.touchIfDue(this.#context.now);
      this.#context.alive(live || undefined);
    });
  }

  /** @internal As {@link touch}, as a part of work that was begun, which goes on where it fails. Tells whether the session is live, where it looked. */
  renewIfDue(): Promise<boolean> {
    return this.#context.renewIfDue(this.#context.now);
  }

  /**
   * Ends the session for every process at once. Its state and events are gone; its id stays taken for `tombstoneMs`, unless it need not.
   *
   * @returns `true` for exactly one caller; `false` where it has ended or expired already.
   */
  async end(ending: EndSessionOptions = {}): Promise<boolean> {
    const keepId = checkEnding(ending);
    const { operations, options, wakeUps } = this.#shared;
    const { now } = this.#context;
    const purgeAt = keepId ? Math.min(now + options.tombstoneMs, Number.MAX_SAFE_INTEGER) : now;
    operations.checkOpen();
    const ended = await operations.call('endSession', (backend) => backend.endSession(this.id, purgeAt, now));
    wakeUps.moved(this.id, undefined);
    return ended;
  }

  async #updateProfile(change: (profile: Profile) => Profile): Promise<Profile> {
    const { operations, updates } = this.#shared;
    // In one process they run one after another, as updates of a key of the state do, whose names hold a space.
    return operations.run(() => updates.run(this.id, () => this.#changeProfile(change)));
  }

  async #changeProfile(change: (profile: Profile) => Profile): Promise<Profile> {
    for (let attempt = 1; attempt <= MAX_PROFILE_ATTEMPTS; attempt++) {
      // Decode a fresh copy per attempt, so that mutations of a previous attempt, or of `session.metadata`, are never written.
      if (await this.#tryProfile(change(decodeProfile(this.#profileText)))) return this.#profile;
      if (attempt > 3) await pause(Math.random() * Math.min(attempt, 20));
    }
    throw new SessionError('PROFILE_CONFLICT', `Profile was changed by others ${MAX_PROFILE_ATTEMPTS} times in a row`, {
      retryable: true,
    });
  }

  /** @returns Whether it is stored. The handle knows the profile as it is then, either way. */
  async #tryProfile(next: Profile): Promise<boolean> {
    const profile = encodeProfile(next);
    const expectedVersion = this.#version;
    const { now } = this.#context;
    const expiresAt = this.#context.expiryAt(now);
    const result = this.#context.alive(
      await this.#shared.operations.call('updateSession', (backend) =>
        backend.updateSession(this.id, { profile, expectedVersion, expiresAt }, now),
      ),
    );
    const updated = result.status === 'updated';
    if (updated) this.#context.renewed(now);
    this.#profileText = updated ? profile : result.current.profile;
    this.#profile = decodeProfile(this.#profileText);
    this.#version = updated ? result.version : result.current.version;
    return updated;
  }
}
