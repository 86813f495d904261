import type { Journal } from '../reports/journal.ts';
import type { LocalSession } from './local-session.ts';
import type { StoreHealth } from '../store/health.ts';

/** How many sessions a node keeps in memory, and for how long. */
export interface LocalBounds {
  readonly maxLocalSessions: number;
  readonly localIdleMs: number;
  /** While requests are served without the store, an evicted session could not be restored. */
  readonly health: Pick<StoreHealth, 'degraded'>;
  readonly journal: Pick<Journal, 'held' | 'released'>;
}

/**
 * The sessions that this node has in memory, least recently used first. An idle session is evicted
 * beyond the bound and after a while; its next request restores it. A busy session stays, so there
 * can be more sessions than the bound.
 */
export class LocalSessions {
  readonly #bounds: LocalBounds;
  readonly #held = new Map<string, LocalSession>();
  readonly #restoring = new Map<string, Promise<LocalSession>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(bounds: LocalBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#held.size;
  }

  get(id: string): LocalSession | undefined {
    return this.#held.get(id);
  }

  /** Whether this node has the session in memory, or is restoring it. */
  has(id: string): boolean {
    return this.#held.has(id) || this.#restoring.has(id);
  }

  all(): LocalSession[] {
    return [...this.#held.values()];
  }

  /**
   * Adds a session, unless it is closed already: its server can close itself at any time, and
   * nothing would remove it again.
   */
  add(local: LocalSession): void {
    if (local.closed) return;
    const { id } = local.session;
    this.#held.set(id, local);
    this.#bounds.journal.held(local.session);
    this.#evictBeyondBound(local);
    this.#schedule();
  }

  /** Removes a session when it is closed. */
  remove(local: LocalSession): void {
    const { id } = local.session;
    if (this.#held.get(id) !== local) return;
    this.#held.delete(id);
    this.#bounds.journal.released(local.session, local.ended);
  }

  /**
   * Returns the session with this id and restores it if necessary. Concurrent requests restore it
   * once.
   */
  async getOrRestore(id: string, restore: () => Promise<LocalSession>): Promise<LocalSession> {
    const held = this.#held.get(id);
    if (held !== undefined) {
      this.#held.delete(id);
      this.#held.set(id, held);
      return held;
    }
    let restoring = this.#restoring.get(id);
    if (restoring === undefined) {
      restoring = restore().finally(() => this.#restoring.delete(id));
      this.#restoring.set(id, restoring);
    }
    return restoring;
  }

  /** Resolves when no client's request is being answered. */
  async answered(): Promise<void> {
    await Promise.all(this.all().map(({ transport }) => transport.answered()));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #evictBeyondBound(newest: LocalSession): void {
    let excess = this.#held.size - this.#bounds.maxLocalSessions;
    for (const local of this.#held.values()) {
      if (excess <= 0) return;
      if (local.busy || local === newest) continue;
      excess--;
      void local.close();
    }
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        const bound = this.#bounds.health.degraded ? 0 : performance.now() - this.#bounds.localIdleMs;
        for (const local of this.#held.values()) if (!local.busy && local.lastUsedAt <= bound) void local.close();
        if (this.#held.size > 0) this.#schedule();
      },
      Math.ceil(this.#bounds.localIdleMs / 2),
    ).unref();
  }
}

/** Works with a session that stays in memory meanwhile. */
export async function pinned(local: LocalSession, work: (local: LocalSession) => Promise<Response>): Promise<Response> {
  const release = local.pin();
  try {
    return await work(local);
  } finally {
    release();
  }
}
