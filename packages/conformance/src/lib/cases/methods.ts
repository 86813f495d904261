import type { SessionBackend } from '@mcp-session/core/backend';
import { appendAll, event, HOUR, NOW, profileChange, request, UNLIMITED, write } from '../actions.ts';

/** A call of a method for one session, and its answer if the session is not live. */
export interface MethodCall {
  readonly method: string;
  readonly absent: unknown;
  readonly call: (backend: SessionBackend, id: string, now: number) => Promise<unknown>;
}

/** Each method that reads one session. */
export const reads: readonly MethodCall[] = [
  { method: 'readSession', absent: undefined, call: (backend, id, now) => backend.readSession(id, now) },
  {
    method: 'readState of all keys',
    absent: undefined,
    call: (backend, id, now) => backend.readState(id, undefined, now),
  },
  {
    method: 'readState of a key',
    absent: undefined,
    call: (backend, id, now) => backend.readState(id, ['k'], now),
  },
  {
    method: 'readEvents from the start',
    absent: undefined,
    call: (backend, id, now) =>
      backend.readEvents({ sessionId: id, streamId: undefined, afterSeq: 0, limit: 10, maxBytes: 1_000 }, now),
  },
  {
    method: 'readEvents of the newest of a stream',
    absent: undefined,
    call: (backend, id, now) =>
      backend.readEvents({ sessionId: id, streamId: 's', afterSeq: undefined, limit: 10, maxBytes: 1_000 }, now),
  },
  { method: 'readHeads', absent: 0, call: async (backend, id, now) => (await backend.readHeads([id], now)).size },
];

/**
 * Each method that writes to one session. None makes the next one impossible, and `endSession` is
 * last.
 */
export const writes: readonly MethodCall[] = [
  {
    method: 'touchSession',
    absent: false,
    call: (backend, id, now) => backend.touchSession(id, NOW + 9 * HOUR, now),
  },
  {
    method: 'updateSession',
    absent: undefined,
    call: (backend, id, now) => backend.updateSession(id, profileChange('"late"', 1, NOW + 9 * HOUR), now),
  },
  {
    method: 'commitState',
    absent: undefined,
    call: (backend, id, now) =>
      backend.commitState(
        { sessionId: id, writes: [write('late', '1')], limits: UNLIMITED, expiresAt: NOW + 9 * HOUR },
        now,
      ),
  },
  {
    method: 'clearState',
    absent: undefined,
    call: (backend, id, now) => backend.clearState(id, NOW + 9 * HOUR, now),
  },
  {
    method: 'appendEvents',
    absent: [undefined],
    call: (backend, id, now) =>
      appendAll(backend, [request(id, [event('s', '"late"')], { expiresAt: NOW + 9 * HOUR })], now),
  },
  {
    method: 'trimEvents',
    absent: undefined,
    call: (backend, id, now) =>
      backend.trimEvents(
        id,
        { maxEvents: 0, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 10 },
        now,
      ),
  },
  {
    method: 'endSession',
    absent: false,
    call: (backend, id, now) => backend.endSession(id, NOW + 9 * HOUR, now),
  },
];
