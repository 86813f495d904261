import { EventsTrimmedError } from '@mcp-session/core';
import { isMessage } from '../protocol/json-rpc.ts';
import type { AnySession } from '../store/session-handle.ts';
import type { GenerationStart, StandaloneRecord } from '../store/session-record.ts';
import { seqOf, STANDALONE_STREAM } from '../stream/stream-ids.ts';
import type { StandaloneCursor } from './cursor.ts';

/**
 * How many starts of generations are kept. A client that was away for longer may get events of
 * later generations again.
 */
const MAX_STARTS = 32;

/** Events of the standalone stream that belong to an earlier generation. */
export interface Span {
  readonly generation: number;
  readonly after: string;
  /** Id of the last event. */
  readonly until: string;
}

/**
 * The starts with one more. A generation that starts no earlier than a later one has no events and
 * needs no entry.
 */
export function withStart({ generations }: StandaloneRecord, next: GenerationStart): StandaloneRecord['generations'] {
  const before = generations.filter(({ after }) => seqOf(after) < seqOf(next.after));
  return [...before, next].slice(-MAX_STARTS);
}

/** The events of an earlier generation after a client's cursor; `undefined`: there are none. */
export async function spanAfter(
  session: AnySession,
  { generations }: StandaloneRecord,
  { id, generation }: StandaloneCursor,
): Promise<Span | undefined> {
  const next = generations.find((each) => each.generation > generation);
  if (next === undefined) return undefined;
  const span = { generation, after: id, until: next.after };
  // Markers do not count: a client that got no message would come back for the same span again.
  try {
    return (await hasMessages(session, id, span.until)) ? span : undefined;
  } catch (error) {
    if (!(error instanceof EventsTrimmedError)) throw error;
    return (await hasMessages(session, undefined, span.until)) ? span : undefined;
  }
}

async function hasMessages(session: AnySession, after: string | undefined, until: string): Promise<boolean> {
  for await (const { seq, message } of session.events.replay({ streamId: STANDALONE_STREAM, after })) {
    if (seq > seqOf(until)) return false;
    if (isMessage(message)) return true;
  }
  return false;
}

/**
 * Whether events before the newest generation may have been lost with the connection to which they
 * were written.
 */
export function mayHaveLost(record: StandaloneRecord): boolean {
  return lostAfter(record) !== undefined;
}

/**
 * Those events, for a client that has no cursor and so has received nothing; `undefined`: none are
 * known.
 */
export async function lostSpan(session: AnySession, record: StandaloneRecord): Promise<Span | undefined> {
  const cursor = lostAfter(record);
  try {
    return cursor && (await spanAfter(session, record, cursor));
  } catch (error) {
    if (error instanceof EventsTrimmedError) return undefined;
    throw error;
  }
}

function lostAfter({ delivered, generations }: StandaloneRecord): StandaloneCursor | undefined {
  const newest = generations.at(-1);
  if (delivered === undefined || newest === undefined || seqOf(delivered) >= seqOf(newest.after)) return undefined;
  return { id: delivered, generation: newest.generation - 1 };
}
