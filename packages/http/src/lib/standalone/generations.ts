import { EventsTrimmedError, type JsonValue, type ProtocolFacts } from '@mcp-session/core';
import { isMessage } from '../protocol/json-rpc.ts';
import type { StandaloneCursor } from './cursor.ts';
import { standaloneCursorOf } from './record.ts';
import { seqOf, STANDALONE_STREAM } from '../stream/stream-ids.ts';
import type { AnySession } from '../store/session-handle.ts';

/** How many beginnings of generations are kept. A client that was away for longer may be told again what later ones were told. */
const MAX_BEGINNINGS = 32;

/** Where a generation of connections began, see `StandaloneCursor`. It ends where the next one began. */
export interface Beginning {
  readonly generation: number;
  /** Id of the last event that is not of it. */
  readonly after: string;
}

/** Events of the standalone stream that belong to a generation which is over. */
export interface Span {
  readonly generation: number;
  readonly after: string;
  /** Id of the last event. */
  readonly until: string;
}

/** The beginnings of a session's generations, oldest first: the fact `generations`. The first generation has none. */
function beginningsOf({ generations }: ProtocolFacts): readonly Beginning[] {
  return Array.isArray(generations) ? (generations as Beginning[]) : [];
}

/** The beginnings with one more. A generation from whose beginning on a later one was told everything has nothing left, and needs none. */
export function withBeginning(facts: ProtocolFacts, next: Beginning): JsonValue {
  const before = beginningsOf(facts).filter(({ after }) => seqOf(after) < seqOf(next.after));
  return [...before, next].slice(-MAX_BEGINNINGS).map(({ generation, after }) => ({ generation, after }));
}

/** What is left for a client of an earlier generation; `undefined`: nothing is. */
export async function spanAfter(
  session: AnySession,
  facts: ProtocolFacts,
  { id, generation }: StandaloneCursor,
): Promise<Span | undefined> {
  const next = beginningsOf(facts).find((each) => each.generation > generation);
  if (next === undefined) return undefined;
  const span = { generation, after: id, until: next.after };
  // Marks of the nodes are no messages: a client that got none would come back for the same again.
  for await (const { seq, message } of session.events.replay({ streamId: STANDALONE_STREAM, after: id })) {
    if (seq > seqOf(span.until)) return undefined;
    if (isMessage(message)) return span;
  }
  return undefined;
}

/** Whether events in front of the newest generation may have been lost with the connection that they were written to. */
export function isUnsure(facts: ProtocolFacts): boolean {
  return unsureCursor(facts) !== undefined;
}

/** What may have been lost so, for a client that says by having no cursor that it has got nothing; `undefined`: nothing is known to be. */
export async function unsureSpan(session: AnySession, facts: ProtocolFacts): Promise<Span | undefined> {
  const cursor = unsureCursor(facts);
  try {
    return cursor && (await spanAfter(session, facts, cursor));
  } catch (error) {
    if (error instanceof EventsTrimmedError) return undefined;
    throw error;
  }
}

function unsureCursor(facts: ProtocolFacts): StandaloneCursor | undefined {
  const delivered = standaloneCursorOf(facts);
  const newest = beginningsOf(facts).at(-1);
  if (delivered === undefined || newest === undefined || seqOf(delivered) >= seqOf(newest.after)) return undefined;
  return { id: delivered, generation: newest.generation - 1 };
}
