import { SessionMap } from './session-map.ts';
import { SessionError } from '../errors.ts';
import { utf8Bytes } from '../values/ids.ts';
import type { EventRow, SessionRow, StateRow } from '../contract/rows.ts';

/** Maximum number of tombstones. The oldest go first. */
const MAX_TOMBSTONES = 100_000;
/** Approximate bytes of a record besides its texts. */
const RECORD_BYTES = 200;

/** An event with its size, so that a trim need not measure it again. */
export interface MemoryEvent extends EventRow {
  readonly bytes: number;
}

/** A state key with its size. */
export interface MemoryState extends StateRow {
  readonly bytes: number;
}

/**
 * Approximate bytes of a trimmed stream's name and number. Less than the trimmed event itself took.
 */
export function trimmedBytes(streamId: string): number {
  return RECORD_BYTES / 2 + streamId.length;
}

/** A session and everything that belongs to it. */
export interface MemorySession {
  /** Changed in place. The backend returns copies. */
  readonly row: { -readonly [K in keyof SessionRow]: SessionRow[K] };
  /** Set once a sweep has begun to remove it. */
  closed: boolean;
  readonly state: Map<string, MemoryState>;
  stateVersion: number;
  stateBytes: number;
  /** All events that are kept, without a gap. */
  events: MemoryEvent[];
  eventBytes: number;
  /** The same events by stream, so that reading a stream costs what it returns. */
  readonly streams: Map<string, MemoryEvent[]>;
  /** The greatest trimmed number of each stream. The most recently trimmed stream is last. */
  readonly trimmed: Map<string, number>;
  /** The greatest number among the streams that are no longer in `trimmed`. */
  forgottenSeq: number;
  /** Number of the first event of each token. */
  tokens: Map<string, number>;
  /** The older generation of tokens, which is forgotten next. */
  olderTokens: Map<string, number>;
}

/** All sessions of one in-memory store, with bounds on their number and size. */
export class Records {
  readonly sessions: SessionMap<MemorySession> = new SessionMap();
  /** When the id of an ended session is free again. The session that ended first is first. */
  readonly tombstones: Map<string, number> = new Map();
  readonly #maxSessions: number;
  readonly #maxBytes: number;
  readonly #sweep: (records: Records, now: number) => void;
  #bytes = 0;
  /** How many of the bytes belong to tombstones. */
  #tombstoneBytes = 0;
  #sweptAt: number | undefined;

  /** @param sweep Removes everything that has expired. */
  constructor(maxSessions: number, maxBytes: number, sweep: (records: Records, now: number) => void) {
    this.#maxSessions = maxSessions;
    this.#maxBytes = maxBytes;
    this.#sweep = sweep;
  }

  /**
   * @throws SessionError `STORE_FULL` if the store is still at its bound after a sweep. The
   * sessions that exist can go on, so it concerns the new session only.
   */
  reserveSession(now: number): void {
    if (this.sessions.size >= this.#maxSessions) this.#makeRoom(now);
    if (this.sessions.size >= this.#maxSessions) {
      throw new SessionError(
        'STORE_FULL',
        `In-memory store holds ${this.sessions.size} sessions; its option maxSessions sets the limit`,
        { retryable: true, scope: 'session' },
      );
    }
  }

  /**
   * How many bytes are missing after a sweep. Tombstones count as room.
   */
  missing(bytes: number, now: number): number {
    if (bytes <= 0) return 0;
    if (this.#bytes + bytes > this.#maxBytes) this.#makeRoom(now);
    return Math.max(0, this.#bytes - this.#tombstoneBytes + bytes - this.#maxBytes);
  }

  /**
   * Counts bytes, and drops tombstones to make room for them.
   *
   * @throws SessionError `STORE_FULL` if bytes are missing. Nothing was counted or removed then. A
   * smaller write, or that of a session that can give up events, may still find room, so it
   * concerns one session.
   */
  reserve(bytes: number, now: number): void {
    if (this.missing(bytes, now) > 0) {
      throw new SessionError(
        'STORE_FULL',
        `In-memory store holds ${this.#bytes} of at most ${this.#maxBytes} bytes; its option maxBytes sets the limit`,
        { retryable: true, scope: 'session' },
      );
    }
    this.#bytes += bytes;
    while (this.#bytes > this.#maxBytes && this.tombstones.size > 0) this.#dropOldestTombstone();
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** Keeps the id of an ended session. Takes less than the session itself took. */
  bury(id: string, purgeAt: number): void {
    this.tombstones.set(id, purgeAt);
    this.#countTombstone(tombstoneBytes(id));
    if (this.tombstones.size > MAX_TOMBSTONES) this.#dropOldestTombstone();
  }

  dropTombstone(id: string): void {
    if (this.tombstones.delete(id)) this.#countTombstone(-tombstoneBytes(id));
  }

  #dropOldestTombstone(): void {
    const [id] = this.tombstones.keys();
    if (id !== undefined) this.dropTombstone(id);
  }

  #countTombstone(bytes: number): void {
    this.#bytes += bytes;
    this.#tombstoneBytes += bytes;
  }

  // A sweep looks at every session. A full store must not repeat it for each write.
  #makeRoom(now: number): void {
    if (this.#sweptAt !== now) this.#sweep(this, now);
    this.#sweptAt = now;
  }

  findLive(id: string, now: number): MemorySession | undefined {
    const session = this.sessions.get(id);
    return session !== undefined && isLive(session, now) ? session : undefined;
  }

  /** Finds a live session and renews it. */
  renewLive(id: string, expiresAt: number | undefined, now: number): MemorySession | undefined {
    const session = this.findLive(id, now);
    if (session !== undefined && expiresAt !== undefined) renew(session, expiresAt, now);
    return session;
  }
}

export function isLive({ row, closed }: MemorySession, now: number): boolean {
  return !closed && row.expiresAt > now;
}

export function renew({ row }: MemorySession, expiresAt: number, now: number): void {
  row.touchedAt = Math.max(row.touchedAt, now);
  row.expiresAt = Math.max(row.expiresAt, expiresAt);
}

export function sessionBytes(row: Pick<SessionRow, 'id' | 'principal' | 'profile' | 'record'>): number {
  const texts = [row.id, row.principal ?? '', row.profile, row.record];
  return texts.reduce((sum, text) => sum + utf8Bytes(text), RECORD_BYTES);
}

function tombstoneBytes(id: string): number {
  return RECORD_BYTES / 2 + id.length;
}

export function eventBytes(event: { readonly bytes: number; readonly streamId: string }): number {
  return RECORD_BYTES + event.bytes + event.streamId.length;
}

export function stateBytes(state: { readonly bytes: number }): number {
  return RECORD_BYTES + state.bytes;
}

/** Index of the first event with a greater number, by binary search. */
export function firstAfter(log: readonly MemoryEvent[], afterSeq: number): number {
  let low = 0;
  for (let high = log.length; low < high;) {
    const middle = (low + high) >>> 1;
    if ((log[middle]?.seq ?? 0) > afterSeq) high = middle;
    else low = middle + 1;
  }
  return low;
}
