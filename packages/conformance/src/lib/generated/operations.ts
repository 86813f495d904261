import type { AppendRequest, SessionBackend } from '@mcp-session/core/backend';
import { appendAll, event, newSession, UNLIMITED, walkEvents, write } from '../actions.ts';
import { eventRow, sessionRow, stateRow } from '../cases/rows.ts';
import { compareBytes } from '../findings.ts';
import { sweepAll, walkSessions } from '../walks.ts';

/** The version that a write expects: any, the present one, none, or a wrong one. */
export type Expectation = 'any' | 'present' | 'none' | 'other';

/**
 * One call, with small numbers, so that calls meet: sessions are 0 to 2, times are milliseconds
 * from `now`.
 */
export type Operation =
  | { readonly do: 'create'; readonly session: number; readonly principal: string | null; readonly ttlMs: number }
  | { readonly do: 'read' | 'readAllState'; readonly session: number }
  | {
      readonly do: 'update';
      readonly session: number;
      readonly part: 'profile' | 'record' | 'both';
      readonly expectedVersion: Expectation;
      readonly ttlMs: number | undefined;
    }
  | { readonly do: 'touch' | 'end'; readonly session: number; readonly ttlMs: number }
  | { readonly do: 'heads' }
  | { readonly do: 'list'; readonly principal: string | null | undefined; readonly limit: number }
  | { readonly do: 'count'; readonly principal: string | null | undefined }
  | { readonly do: 'sweep'; readonly limit: number }
  | { readonly do: 'readState'; readonly session: number; readonly keys: readonly string[] }
  | {
      readonly do: 'commit';
      readonly session: number;
      readonly writes: readonly {
        readonly key: string;
        readonly value: string | undefined;
        readonly expectedVersion: Expectation;
      }[];
      readonly limit: 'none' | 'keys' | 'bytes';
      readonly ttlMs: number | undefined;
    }
  | { readonly do: 'clear'; readonly session: number; readonly ttlMs: number | undefined }
  | {
      readonly do: 'append';
      readonly requests: readonly {
        readonly session: number;
        readonly events: readonly { readonly streamId: string; readonly message: string }[];
        readonly ttlMs: number | undefined;
      }[];
    }
  | { readonly do: 'again'; readonly back: number }
  | {
      readonly do: 'events';
      readonly session: number;
      readonly streamId: string | undefined;
      readonly afterSeq: number | undefined;
      readonly limit: number;
      readonly maxBytes: number;
    }
  | {
      readonly do: 'trim';
      readonly session: number;
      readonly bound: {
        readonly maxEvents?: number;
        readonly maxBytes?: number;
        readonly maxAgeMs?: number;
        readonly throughSeq?: number;
      };
      readonly limit: number;
    };

/**
 * The state that the calls of a sequence share. The backend under test and the model have one each.
 */
export interface Sequence {
  readonly ids: readonly string[];
  readonly kind: string;
  /** Requests that were appended, for calls that repeat one. */
  readonly requests: AppendRequest[];
}

/**
 * Makes one call. Returns the part of the answer that the contract fixes, so that backends can be
 * compared.
 */
export async function apply(
  backend: SessionBackend,
  operation: Operation,
  sequence: Sequence,
  now: number,
): Promise<unknown> {
  const id = 'session' in operation ? (sequence.ids[operation.session] ?? '') : '';
  const after = (ttlMs: number | undefined) => (ttlMs === undefined ? undefined : now + ttlMs);
  switch (operation.do) {
    case 'create': {
      const given = { kind: sequence.kind, principal: operation.principal, expiresAt: now + operation.ttlMs };
      return backend.createSession(newSession(id, given), now);
    }
    case 'read':
      return sessionRow(await backend.readSession(id, now));
    case 'update':
      return update(backend, operation, id, now);
    case 'touch':
      return backend.touchSession(id, now + operation.ttlMs, now);
    case 'end':
      return backend.endSession(id, now + operation.ttlMs, now);
    case 'heads':
      return backend.readHeads(sequence.ids, now);
    case 'list': {
      const { principal, limit } = operation;
      return (await walkSessions(backend, { kind: sequence.kind, principal }, { limit, now })).map(sessionRow);
    }
    case 'count':
      return backend.countSessions({ kind: sequence.kind, principal: operation.principal }, now);
    case 'sweep': {
      const gone = await sweepAll(backend, now, operation.limit);
      return gone.filter((swept) => sequence.ids.includes(swept)).toSorted(compareBytes);
    }
    case 'readAllState':
    case 'readState': {
      const rows = await backend.readState(id, operation.do === 'readState' ? operation.keys : undefined, now);
      return rows?.map(stateRow).toSorted((a, b) => compareBytes(a?.key ?? '', b?.key ?? ''));
    }
    case 'commit':
      return commit(backend, operation, id, now);
    case 'clear':
      return backend.clearState(id, after(operation.ttlMs), now);
    case 'append':
      return append(backend, operation, sequence, now);
    case 'again': {
      const request = sequence.requests.at(-1 - operation.back);
      if (request === undefined) return undefined;
      const results = await appendAll(backend, [{ ...request, expiresAt: undefined }], now);
      return results.map((result) => result?.firstSeq);
    }
    case 'events':
      return events(backend, operation, id, now);
    case 'trim': {
      const { maxEvents, maxBytes, maxAgeMs, throughSeq } = operation.bound;
      const createdBefore = maxAgeMs === undefined ? undefined : now - maxAgeMs;
      const bound = { maxEvents, maxBytes, createdBefore, throughSeq, limit: operation.limit };
      return backend.trimEvents(id, bound, now);
    }
  }
}

function expected(expectation: Expectation, present: number): number | undefined {
  return { any: undefined, present, none: 0, other: present + 1 }[expectation];
}

type Of<D extends Operation['do']> = Extract<Operation, { readonly do: D }>;

async function update(backend: SessionBackend, operation: Of<'update'>, id: string, now: number): Promise<unknown> {
  const { version = 0, recordVersion = 0 } = (await backend.readSession(id, now)) ?? {};
  const change = (present: number) => ({
    text: ` ${now}.0`,
    expectedVersion: expected(operation.expectedVersion, present) ?? present,
  });
  const { part } = operation;
  const profile = part === 'record' ? undefined : change(version);
  const record = part === 'profile' ? undefined : change(recordVersion);
  const expiresAt = operation.ttlMs === undefined ? undefined : now + operation.ttlMs;
  const result = await backend.updateSession(id, { profile, record, expiresAt }, now);
  return result?.status === 'conflict' ? { ...result, current: sessionRow(result.current) } : result;
}

const LIMITS = { none: UNLIMITED, keys: { ...UNLIMITED, maxKeys: 2 }, bytes: { ...UNLIMITED, maxBytes: 12 } };

async function commit(backend: SessionBackend, operation: Of<'commit'>, id: string, now: number): Promise<unknown> {
  const keys = operation.writes.map(({ key }) => key);
  const present = new Map((await backend.readState(id, keys, now))?.map((row) => [row.key, row.version]));
  const writes = operation.writes.map(({ key, value, expectedVersion }) =>
    write(key, value, expected(expectedVersion, present.get(key) ?? 0)),
  );
  const expiresAt = operation.ttlMs === undefined ? undefined : now + operation.ttlMs;
  const limits = LIMITS[operation.limit];
  const result = await backend.commitState({ sessionId: id, writes, limits, expiresAt }, now);
  return result?.status === 'conflict' ? { ...result, current: stateRow(result.current) } : result;
}

async function append(
  backend: SessionBackend,
  { requests }: Of<'append'>,
  sequence: Sequence,
  now: number,
): Promise<unknown> {
  const batch = requests.map(({ session, events, ttlMs }, index) => ({
    sessionId: sequence.ids[session] ?? '',
    // Not random, so that the model gets the same token.
    token: `${sequence.requests.length + index}`.padStart(22, '-'),
    events: events.map(({ streamId, message }) => event(streamId, message)),
    expiresAt: ttlMs === undefined ? undefined : now + ttlMs,
  }));
  sequence.requests.push(...batch);
  return appendAll(backend, batch, now);
}

/**
 * The whole rest of the log, page by page, and the facts of the first page. Backends choose where
 * pages end.
 */
async function events(backend: SessionBackend, operation: Of<'events'>, id: string, now: number): Promise<unknown> {
  const { streamId, afterSeq, limit, maxBytes } = operation;
  const first = await backend.readEvents({ sessionId: id, streamId, afterSeq, limit, maxBytes }, now);
  if (first === undefined) return undefined;
  const { lastSeq, trimmedSeq, afterStreamId } = first;
  if (afterSeq === undefined) return { rows: first.events.map(eventRow), lastSeq, trimmedSeq };
  const walk = { limit, maxBytes, afterSeq, ...(streamId !== undefined && { streamId }) };
  return { rows: (await walkEvents(backend, id, walk, now)).map(eventRow), lastSeq, trimmedSeq, afterStreamId };
}
