import { setTimeout as pause } from 'node:timers/promises';
import { SessionError } from './errors.ts';
import type { DefaultHandles } from './api/default-handles.ts';
import type { SessionEvents } from './api/session-events.ts';
import type { SessionState } from './api/session-state.ts';
import type { Session } from './api/session.ts';
import type { TransportFacts, TransportSession } from './api/transport.ts';
import { EventsHandle } from './events/events.ts';
import { decodeProfile, encodeProfile, type Profile } from './session/profile.ts';
import { isPlainObject } from './values/plain.ts';
import type { Metadata, ProtocolFacts } from './values/facts.ts';
import type { SessionRow } from './contract/rows.ts';
import { SessionContext, type StoreInternals } from './session/context.ts';
import { endSession } from './session/ending.ts';
import { summaryOf, type SessionSummary } from './session/summary.ts';
import { printAsJson } from './values/inspect.ts';
import { StateHandle } from './state/state.ts';
import { checkEnding, type EndSessionOptions } from './options/session-options.ts';
import { synchronous } from './runtime/synchronous.ts';

/** How often a change of the profile may lose against other processes. */
const MAX_PROFILE_ATTEMPTS = 50;

/** One session, as its users see it. */
export class SessionHandle<S> implements Session<S>, TransportSession, DefaultHandles {
  static {
    printAsJson(this, 'Session');
  }

  readonly id: string;
  readonly kind: string;
  readonly principal: string | null;
  readonly createdAt: number;
  readonly lastSeq: number;
  readonly state: SessionState<S>;
  readonly events: SessionEvents;
  readonly #context: SessionContext;
  readonly #shared: StoreInternals;
  #profile: Profile;
  /** The stored text of the profile. */
  #profileText: string;
  #version: number;

  /** @param renews Whether a use of this handle renews the session. */
  constructor(shared: StoreInternals, row: SessionRow, renews: boolean) {
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
    const { graceMs } = shared.options;
    this.#context = new SessionContext(shared, row, { ttlMs, maxLifetimeMs, graceMs }, renews);
    this.state = new StateHandle(this.#context);
    this.events = new EventsHandle(this.#context);
  }

  get lastActiveAt(): number {
    return this.#context.touchedAt - this.#shared.options.graceMs;
  }

  get expiresAt(): number {
    return this.#context.expiresAt - this.#shared.options.graceMs;
  }

  get metadata(): Metadata {
    return this.#profile.metadata;
  }

  get protocol(): ProtocolFacts {
    return this.#profile.protocol;
  }

  async updateMetadata(change: (current: Metadata) => Metadata): Promise<Metadata> {
    return (
      await this.#updateProfile((profile) => ({
        ...profile,
        metadata: synchronous(change(profile.metadata), 'updateMetadata'),
      }))
    ).metadata;
  }

  get transport(): TransportFacts {
    return this.#profile;
  }

  async updateTransport(change: (current: TransportFacts) => TransportFacts): Promise<TransportFacts> {
    return this.#updateProfile((profile) => {
      const next = synchronous(change(profile), 'updateTransport');
      if (!isPlainObject(next)) throw new TypeError('Facts of a transport are not a plain object');
      return { ...profile, protocol: next.protocol, record: next.record };
    });
  }

  defaultHandle(name: string): string | undefined {
    return this.#profile.handles?.[name];
  }

  async keepDefaultHandle(name: string, id: string, replaced: string | undefined): Promise<string> {
    const { handles } = await this.#updateProfile((profile) => {
      const current = profile.handles?.[name];
      return current === replaced ? { ...profile, handles: { ...profile.handles, [name]: id } } : profile;
    });
    return handles?.[name] ?? id;
  }

  async touch(): Promise<void> {
    await this.#shared.gate.run(async () => {
      const live = await this.#context.touchIfDue(this.#context.now);
      this.#context.alive(live || undefined);
    });
  }

  /**
   * Like {@link touch}, as a part of work that has begun. Does not fail.
   *
   * @returns `false` only if the touch found no live session.
   */
  renewIfDue(): Promise<boolean> {
    return this.#context.renewIfDue(this.#context.now);
  }

  async end(ending: EndSessionOptions = {}): Promise<boolean> {
    return endSession(this.#shared, this.id, checkEnding(ending));
  }

  toJSON(): SessionSummary {
    return summaryOf(this);
  }

  async #updateProfile(change: (profile: Profile) => Profile): Promise<Profile> {
    const { gate, updates } = this.#shared;
    // In one process they run one after another. The keys of state updates contain a space, ids do
    // not.
    return gate.run(() => updates.run(this.id, () => this.#changeProfile(change)));
  }

  async #changeProfile(change: (profile: Profile) => Profile): Promise<Profile> {
    for (let attempt = 1; attempt <= MAX_PROFILE_ATTEMPTS; attempt++) {
      // Decode a fresh copy per attempt, so that mutations of a previous attempt, or of
      // `session.metadata`, are never written.
      if (await this.#tryProfile(change(decodeProfile(this.#profileText)))) return this.#profile;
      if (attempt > 3) await pause(Math.random() * Math.min(attempt, 20));
    }
    throw new SessionError('PROFILE_CONFLICT', `Profile was changed by others ${MAX_PROFILE_ATTEMPTS} times in a row`, {
      retryable: true,
    });
  }

  /** @returns Whether it was stored. Either way the handle then has the present profile. */
  async #tryProfile(next: Profile): Promise<boolean> {
    const profile = encodeProfile(next);
    const expectedVersion = this.#version;
    const { now } = this.#context;
    const expiresAt = this.#context.renewalAt(now);
    const result = this.#context.alive(
      await this.#shared.backend.begun.updateSession(this.id, { profile, expectedVersion, expiresAt }, now),
    );
    const updated = result.status === 'updated';
    if (updated) this.#context.noteWrite(now);
    this.#profileText = updated ? profile : result.current.profile;
    this.#profile = decodeProfile(this.#profileText);
    this.#version = updated ? result.version : result.current.version;
    return updated;
  }
}
