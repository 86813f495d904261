import type {
  AppendOutcome,
  AppendRequest,
  AppendResult,
  EventPage,
  EventRow,
  NewEvent,
  NewSession,
  SessionBackend,
  SessionChange,
  StateLimits,
  StateResult,
  StateRow,
  StateWrite,
  TrimBound,
} from '@mcp-session/core/backend';
import { randomBytes } from 'node:crypto';
import { holds, present } from './findings.ts';

/** The time of most cases, in Unix milliseconds. Like real times, it has more than 32 bits. */
export const NOW = 1_800_000_000_000;
/** An hour in milliseconds. By default, sessions of cases expire at `NOW + HOUR`. */
export const HOUR = 3_600_000;
/** 1 MiB in bytes. */
export const MIB = 1_048_576;

/** No limit on state. */
export const UNLIMITED: StateLimits = { maxKeys: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER };

/** A token like those of core: 22 characters of base64url. */
export function newToken(): string {
  return randomBytes(16).toString('base64url');
}

export function newSession(id: string, given: Partial<NewSession> = {}): NewSession {
  return { id, kind: 'session', principal: null, profile: '{}', expiresAt: NOW + HOUR, ...given };
}

/** A change of the profile alone. */
export function profileChange(text: string, expectedVersion: number, expiresAt?: number): SessionChange {
  return { profile: { text, expectedVersion }, record: undefined, expiresAt };
}

/** A change of the record alone. */
export function recordChange(text: string, expectedVersion: number, expiresAt?: number): SessionChange {
  return { profile: undefined, record: { text, expectedVersion }, expiresAt };
}

export function event(streamId: string, message: string): NewEvent {
  return { streamId, message, bytes: Buffer.byteLength(message) };
}

export function request(
  sessionId: string,
  events: readonly NewEvent[],
  given: Partial<AppendRequest> = {},
): AppendRequest {
  return { sessionId, token: newToken(), events, expiresAt: undefined, ...given };
}

/** The answers of `appendEvents`. Throws the first error among them. */
export function answersOf(outcomes: readonly AppendOutcome[]): (AppendResult | undefined)[] {
  return outcomes.map((outcome) => {
    if (outcome instanceof Error) throw outcome;
    return outcome;
  });
}

/** Appends requests in as few calls as the capabilities allow, like core. */
export async function appendAll(
  backend: SessionBackend,
  requests: readonly AppendRequest[],
  now: number = NOW,
): Promise<(AppendResult | undefined)[]> {
  const { maxBatchSessions } = backend.capabilities;
  const answers: (AppendResult | undefined)[] = [];
  for (let from = 0; from < requests.length; from += maxBatchSessions) {
    const batch = requests.slice(from, from + maxBatchSessions);
    const outcomes = await backend.appendEvents(batch, now);
    holds(
      outcomes.length === batch.length,
      `appendEvents answered ${batch.length} requests with ${outcomes.length} results`,
    );
    answers.push(...answersOf(outcomes));
  }
  return answers;
}

/**
 * Appends messages to one stream in one request. @returns The first number; `undefined` if the
 * session is not live.
 */
export async function append(
  backend: SessionBackend,
  sessionId: string,
  streamId: string,
  messages: readonly string[],
  now: number = NOW,
): Promise<number | undefined> {
  const events = messages.map((message) => event(streamId, message));
  const [result] = await appendAll(backend, [request(sessionId, events)], now);
  return result?.firstSeq;
}

/**
 * Appends `count` small events in as few calls as the capabilities allow. The message of each is
 * its number.
 */
export async function fill(backend: SessionBackend, sessionId: string, streamId: string, count: number): Promise<void> {
  const most = Math.min(backend.capabilities.maxBatchEvents, 500);
  for (let from = 1; from <= count; from += most) {
    const messages = Array.from({ length: Math.min(most, count - from + 1) }, (_, index) => String(from + index));
    present(await append(backend, sessionId, streamId, messages), 'appendEvents on a live session');
  }
}

export function write(key: string, value: string | undefined, expectedVersion?: number): StateWrite {
  return {
    key,
    value,
    bytes: value === undefined ? 0 : Buffer.byteLength(key) + Buffer.byteLength(value),
    expectedVersion,
  };
}

/** Commits writes without limits. */
export async function commit(
  backend: SessionBackend,
  sessionId: string,
  writes: readonly StateWrite[],
  now: number = NOW,
): Promise<StateResult> {
  const result = await backend.commitState({ sessionId, writes, limits: UNLIMITED, expiresAt: undefined }, now);
  return present(result, 'commitState on a live session');
}

/** All keys of a session, by key. */
export async function readAll(
  backend: SessionBackend,
  sessionId: string,
  now: number = NOW,
): Promise<Map<string, StateRow>> {
  const rows = present(await backend.readState(sessionId, undefined, now), 'readState of a live session');
  const state = new Map(rows.map((row) => [row.key, { key: row.key, value: row.value, version: row.version }]));
  holds(state.size === rows.length, 'readState gave one key twice');
  return state;
}

/** The query of a walk over a log, see `EventQuery`. */
export interface Walk {
  readonly streamId?: string;
  readonly afterSeq?: number;
  readonly limit?: number;
  readonly maxBytes?: number;
}

export async function readPage(
  backend: SessionBackend,
  sessionId: string,
  walk: Walk = {},
  now: number = NOW,
): Promise<EventPage> {
  const { streamId, afterSeq = 0, limit = 1_000, maxBytes = 8 * MIB } = walk;
  const page = await backend.readEvents({ sessionId, streamId, afterSeq, limit, maxBytes }, now);
  return present(page, 'readEvents of a live session');
}

/** Reads all pages, like core. */
export async function walkEvents(
  backend: SessionBackend,
  sessionId: string,
  walk: Walk = {},
  now: number = NOW,
): Promise<EventRow[]> {
  const events: EventRow[] = [];
  let afterSeq = walk.afterSeq ?? 0;
  for (;;) {
    const page = await readPage(backend, sessionId, { ...walk, afterSeq }, now);
    const { limit = 1_000, maxBytes = 8 * MIB } = walk;
    const bytes = page.events.reduce((sum, row) => sum + Buffer.byteLength(row.message), 0);
    holds(page.events.length <= limit, `readEvents with limit ${limit} gave ${page.events.length} events`);
    holds(
      bytes <= maxBytes || page.events.length === 1,
      `readEvents with maxBytes ${maxBytes} gave ${page.events.length} events of ${bytes} bytes`,
    );
    events.push(...page.events);
    if (!page.more) return events;
    const last = page.events.at(-1);
    holds(
      last !== undefined && last.seq > afterSeq,
      `readEvents after ${afterSeq} says that there is more but gives no event to go on from`,
    );
    afterSeq = last.seq;
  }
}

/** Trims by the given bounds, at most `limit` events (1,000 by default). */
export async function trim(backend: SessionBackend, sessionId: string, bound: Partial<TrimBound>): Promise<number> {
  const whole = {
    maxEvents: undefined,
    maxBytes: undefined,
    createdBefore: undefined,
    throughSeq: undefined,
    limit: 1_000,
    ...bound,
  };
  return present(await backend.trimEvents(sessionId, whole, NOW), 'trimEvents of a live session');
}

/** The numbers of events. */
export function seqs(events: readonly EventRow[]): number[] {
  return events.map((row) => row.seq);
}

/** The numbers `from` to `to`, inclusive. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}

/** Work, and whether it is still running, for readers that continue as long as writers do. */
export interface Tracked<T> {
  readonly result: Promise<T>;
  readonly running: boolean;
}

export function track<T>(work: Promise<T>): Tracked<T> {
  const tracked = { result: work, running: true };
  tracked.result = work.finally(() => {
    tracked.running = false;
  });
  // The case awaits the result. If the case fails earlier, an unhandled rejection must not end the
  // run.
  tracked.result.catch(() => undefined);
  return tracked;
}
