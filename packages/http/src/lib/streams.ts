import { type AppendOptions, type Session, SessionError, type SessionEvent } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { isMessage, isRequestId, isResponse, type RequestId } from './json-rpc.ts';
import type { Span } from './generations.ts';
import type { Claim } from './listener.ts';
import type { Settlement } from './settlement.ts';
import type { OutgoingEvent } from './sse.ts';
import { STANDALONE_STREAM, wireId } from './standalone.ts';

/** A session as this package uses it: all but the state, which is the application's. */
export type AnySession = Omit<Session<never>, 'state'>;

/** The stream by which the nodes of a session talk to each other. No client can name it. */
export const NODES_STREAM = '_nodes';

/** Waits before an append is tried again that has certainly not happened, in milliseconds. */
export const RETRY_DELAYS_MS = [20, 100, 500] as const;

/**
 * A request's stream: how many requests share it, the node that runs them, and a name that this node gives it.
 *
 * The count is part of the name so that a client which comes back can be told that all is said, also where the stream's beginning was trimmed.
 */
const REQUEST_STREAM = /^req-([1-9][0-9]?|100)-([A-Za-z0-9_]+)-([0-9a-z]+)$/;

/** The stream of one POST. */
export interface RequestStream {
  readonly streamId: string;
  /** How many requests it answers; it ends after the last answer (MCP 2025-03-26, basic/transports: a batch shares one stream). */
  readonly requests: number;
  /** The node that runs them. */
  readonly nodeId: string;
}

/** First event of a request's stream: its requests' ids. Not for the client, who gets its id as the first cursor. */
interface Opened {
  readonly opened: readonly RequestId[];
}

/** Stands where an answer would be: the client cancelled the request and is owed none. Not for the client. */
interface Ended {
  readonly ended: RequestId;
}

/** Stands in a request's stream where its handler closed the connections that it had then, on whichever node. Not for the client. */
interface Closed {
  readonly closed: true;
}

/** Stands in the standalone stream where another connection took over: earlier ones end here. Not for the client. */
interface Taken {
  readonly listener: number;
}

/** @param name Tells it from others of that node: digits and lower-case letters. */
export function requestStream(requests: number, nodeId: string, name: string): RequestStream {
  return { streamId: `req-${requests}-${nodeId}-${name}`, requests, nodeId };
}

/** @returns `undefined` where it is no request's stream. */
export function parseRequestStream(streamId: string): RequestStream | undefined {
  const [, requests, nodeId] = REQUEST_STREAM.exec(streamId) ?? [];
  return requests === undefined || nodeId === undefined ? undefined : { streamId, requests: Number(requests), nodeId };
}

export function openedMark(ids: readonly RequestId[]): Opened {
  return { opened: ids };
}

export function endedMark(id: RequestId): Ended {
  return { ended: id };
}

export function closedMark(): Closed {
  return { closed: true };
}

export function listenerMark(n: number): Taken {
  return { listener: n };
}

/** The number of an event, which its id begins with (docs/decisions/003-event-ids.md). */
export function seqOf(eventId: string): number {
  return Number.parseInt(eventId, 10);
}

/** The requests that a stream was opened for, where an event says so. */
export function openedBy(message: unknown): readonly RequestId[] | undefined {
  return (message as Partial<Opened> | null)?.opened;
}

/** The request that an event settles; `undefined`: none. */
export function settledBy(message: unknown): RequestId | undefined {
  if (isMessage(message)) return isResponse(message) ? message.id : undefined;
  const ended = (message as Partial<Ended> | null)?.ended;
  return isRequestId(ended) ? ended : undefined;
}

/**
 * Makes sure that a cursor can be followed, before anything is sent.
 *
 * @throws SessionError `INVALID_CURSOR`, `EVENTS_TRIMMED`
 */
export async function verifyCursor(session: AnySession, after: string, streamId: string): Promise<void> {
  const replay = session.events.replay({ after, streamId });
  await replay.next();
  await replay.return();
}

/** Where to follow a stream. */
export interface FollowOptions {
  readonly streamId: string;
  /** `undefined`: from the oldest event that is kept. */
  readonly after: string | undefined;
  /** Of the requests that the stream answers: it ends when all are settled. Default: it answers none and does not end. */
  readonly settlement?: Settlement;
  /** Number of the newest event of the stream when the connection was opened: marks of its handler behind it close it. Default: `0`, all do. */
  readonly openedSeq?: number;
  /** The connection's claim to the standalone stream. Default: it needs none. */
  readonly claim?: Claim;
  /** A part of the standalone stream that belongs to an earlier generation: it ends there. Default: it goes on as events come. */
  readonly span?: Span;
  readonly signal: AbortSignal;
  /** Is asked when reading has failed whether it is to be tried again, and may take its time. Default: it is not. */
  readonly readAgain?: (error: unknown) => Promise<boolean>;
}

/**
 * The messages of a stream after a cursor, then as they come. Of several answers to one request the first is given, see `StreamProgress`.
 *
 * @returns What has ended it: the stream has, the session is over, or a mark says that the connection is.
 */
export async function* follow(
  session: AnySession,
  { settlement, openedSeq = 0, claim, span, ...options }: FollowOptions,
): AsyncGenerator<OutgoingEvent, 'stream' | 'session' | 'connection', undefined> {
  const { generation = 1 } = claim ?? span ?? {};
  for await (const { id, seq, message } of span === undefined ? tail(session, options) : partOf(session, span)) {
    const settles = settlement === undefined ? undefined : settledBy(message);
    if (settles !== undefined && settlement?.has(settles) === true) continue;
    if (isMessage(message)) yield { id: wireId(id, generation), message };
    else if (claim !== undefined && takenBy(message) > claim.n) return 'connection';
    else if (seq > openedSeq && isClosedMark(message)) return 'connection';
    if (settles !== undefined && settlement?.add(settles) === true) return 'stream';
  }
  return span === undefined && !options.signal.aborted ? 'session' : 'stream';
}

async function* partOf(session: AnySession, { after, until }: Span): AsyncGenerator<SessionEvent, void, undefined> {
  for await (const event of session.events.replay({ streamId: STANDALONE_STREAM, after })) {
    if (event.seq > seqOf(until)) return;
    yield event;
  }
}

/** A tail that goes on where it has failed. */
async function* tail(
  session: AnySession,
  { after, readAgain, ...options }: Pick<FollowOptions, 'streamId' | 'after' | 'signal' | 'readAgain'>,
): AsyncGenerator<SessionEvent, void, undefined> {
  for (let last = after; ;) {
    try {
      for await (const event of session.events.tail({ ...options, after: last })) {
        last = event.id;
        yield event;
      }
      return;
    } catch (error) {
      if ((await readAgain?.(error)) !== true) throw error;
    }
  }
}

function isClosedMark(message: unknown): boolean {
  return (message as Partial<Closed> | null)?.closed === true;
}

function takenBy(message: unknown): number {
  const n = (message as Partial<Taken> | null)?.listener;
  return typeof n === 'number' ? n : 0;
}

/** Whether a write that failed with this has certainly not happened, and may go well the next time. */
export function canTryAgain(error: unknown): boolean {
  return error instanceof SessionError && error.retryable && !error.outcomeUnknown;
}

/** Appends, again after a while where the store says that the last try changed nothing and the next may go well. @returns The event's id. */
export async function appendAgain(
  session: AnySession,
  streamId: string,
  message: unknown,
  options?: AppendOptions,
): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await session.events.append(streamId, message, options);
    } catch (error) {
      const delayMs = RETRY_DELAYS_MS[attempt];
      if (delayMs === undefined || !canTryAgain(error)) throw error;
      await pause(delayMs);
    }
  }
}
