import { SessionError } from './errors.ts';
import type { DefaultHandles } from './api/default-handles.ts';
import type { SessionEvents } from './api/session-events.ts';
import type { SessionState } from './api/session-state.ts';
import type { ListedSession } from './api/session-list.ts';
import type { Session } from './api/session.ts';
import type { TransportFacts, TransportSession } from './api/transport.ts';
import { EventsHandle } from './events/events.ts';
import { decodeFacts, encodeFacts, type Facts, type Texts } from './session/profile.ts';
import { isPlainObject } from './values/plain.ts';
import type { Metadata, ProtocolFacts } from './values/facts.ts';
import type { ListedRow, SessionCounts, SessionRow } from './contract/rows.ts';
import { type Lifetime, SessionContext, type StoreInternals } from './session/context.ts';
import { endSession } from './session/ending.ts';
import { summaryOf, type SessionSummary } from './session/summary.ts';
import { printAsJson } from './values/inspect.ts';
import { StateHandle } from './state/state.ts';
import { checkEnding, type EndSessionOptions } from './options/session-options.ts';
import { checkFunction, optional } from './values/option-checks.ts';
import type { ResolvedOptions } from './options/store-options.ts';
import { synchronous } from './runtime/synchronous.ts';
import { pauseAfterLoss } from './runtime/rests.ts';

/** How often a change of the profile may lose against other processes. */
const MAX_PROFILE_ATTEMPTS = 50;

/** The texts of a session and their versions, as this process saw them last. */
type Stored = Pick<SessionRow, 'profile' | 'version' | 'record' | 'recordVersion'>;

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
  #facts: Facts;
  #stored: Stored;

  /** @param renews Whether a use of this handle renews the session. */
  constructor(shared: StoreInternals, row: SessionRow, renews: boolean) {
    this.id = row.id;
    this.kind = row.kind;
    this.principal = row.principal;
    this.createdAt = row.createdAt;
    this.lastSeq = row.lastSeq;
    this.#shared = shared;
    this.#stored = row;
    this.#facts = decodeFacts(row);
    this.#context = new SessionContext(shared, row, lifetimeOf(this.#facts, shared.options), renews);
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
    return this.#facts.metadata;
  }

  get protocol(): ProtocolFacts {
    return this.#facts.protocol;
  }

  async updateMetadata(change: (current: Metadata) => Metadata): Promise<Metadata> {
    checkFunction('change', change, 'updateMetadata');
    return (
      await this.#update('profile', (facts) => ({
        ...facts,
        metadata: synchronous(change(facts.metadata), 'updateMetadata'),
      }))
    ).metadata;
  }

  get transport(): TransportFacts {
    return this.#facts;
  }

  async updateTransport(change: (current: TransportFacts) => TransportFacts): Promise<TransportFacts> {
    checkFunction('change', change, 'updateTransport');
    return this.#update('record', (facts) => {
      const next = synchronous(change(facts), 'updateTransport');
      if (!isPlainObject(next)) throw new TypeError('Facts of a transport are not a plain object');
      const { protocol, record } = next;
      if (!('ttlMs' in next)) return { ...facts, protocol, record };
      const { ttlMs: _, ...others } = facts;
      const ttlMs = optional('ttlMs', next.ttlMs);
      return { ...others, protocol, record, ...(ttlMs !== undefined && { ttlMs }) };
    });
  }

  defaultHandle(name: string): string | undefined {
    return this.#facts.handles?.[name];
  }

  async keepDefaultHandle(name: string, id: string, replaced: string | undefined): Promise<string> {
    const { handles } = await this.#update('profile', (facts) => {
      const current = facts.handles?.[name];
      return current === replaced ? { ...facts, handles: { ...facts.handles, [name]: id } } : facts;
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

  async #update(part: keyof Texts, change: (facts: Facts) => Facts): Promise<Facts> {
    const { gate, updates } = this.#shared;
    // In one process they run one after another. The keys of state updates contain a space, ids do
    // not.
    return gate.run(() => updates.run(this.id, () => this.#change(part, change)));
  }

  async #change(part: keyof Texts, change: (facts: Facts) => Facts): Promise<Facts> {
    for (let attempt = 1; attempt <= MAX_PROFILE_ATTEMPTS; attempt++) {
      // Decode a fresh copy per attempt, so that mutations of a previous attempt, or of
      // `session.metadata`, are never written.
      if (await this.#tryChange(part, change(decodeFacts(this.#stored)))) return this.#facts;
      await pauseAfterLoss(attempt);
    }
    throw new SessionError('PROFILE_CONFLICT', `Profile was changed by others ${MAX_PROFILE_ATTEMPTS} times in a row`, {
      retryable: true,
    });
  }

  /**
   * Writes the given part in any case, so that its version is compared, and the other one only if
   * it differs.
   *
   * @returns Whether it was stored. Either way the handle then has the present facts.
   */
  async #tryChange(part: keyof Texts, next: Facts): Promise<boolean> {
    const stored = this.#stored;
    const { profile, record } = encodeFacts(next);
    const writesProfile = part === 'profile' || profile !== stored.profile;
    const writesRecord = part === 'record' || record !== stored.record;
    const { now } = this.#context;
    const { options, backend } = this.#shared;
    const change = {
      profile: writesProfile ? { text: profile, expectedVersion: stored.version } : undefined,
      record: writesRecord ? { text: record, expectedVersion: stored.recordVersion } : undefined,
      expiresAt: this.#context.renewalAt(now, lifetimeOf(next, options)),
    };
    const result = this.#context.alive(await backend.begun.updateSession(this.id, change, now));
    const updated = result.status === 'updated';
    this.#stored = updated
      ? {
          profile,
          version: stored.version + Number(writesProfile),
          record,
          recordVersion: stored.recordVersion + Number(writesRecord),
        }
      : result.current;
    this.#facts = decodeFacts(this.#stored);
    this.#context.lifetime = lifetimeOf(this.#facts, options);
    if (updated) this.#context.noteWrite(now);
    return updated;
  }
}

/** A session that a listing has found. */
export class ListedHandle<S> extends SessionHandle<S> implements ListedSession<S> {
  readonly counts: SessionCounts;

  constructor(shared: StoreInternals, row: ListedRow, renews: boolean) {
    super(shared, row, renews);
    this.counts = row.counts;
  }

  override toJSON(): SessionSummary & Pick<ListedSession<S>, 'counts'> {
    return { ...super.toJSON(), counts: this.counts };
  }
}

function lifetimeOf({ ttlMs, maxLifetimeMs }: Facts, defaults: ResolvedOptions): Lifetime {
  return {
    ttlMs: ttlMs ?? defaults.ttlMs,
    maxLifetimeMs: maxLifetimeMs ?? defaults.maxLifetimeMs,
    graceMs: defaults.graceMs,
  };
}
