import type { ProtocolFacts } from '@mcp-session/core';
import { isUnsure, type Span, spanAfter, unsureSpan, withBeginning } from './generations.ts';
import { HttpError } from '../protocol/http-errors.ts';
import type { StandaloneCursor } from './cursor.ts';
import { type Listener, listenerOf, standaloneCursorOf } from './record.ts';
import type { NodeLease } from '../cluster/lease.ts';
import { seqOf, STANDALONE_STREAM } from '../stream/stream-ids.ts';
import type { AnySession } from '../store/session-handle.ts';
import { appendWithRetry } from '../store/append-with-retry.ts';
import { takenMarker } from '../stream/markers.ts';

/** How long a listener on another node may take to be known as gone, in milliseconds. */
const GONE_WITHIN_MS = 500;
/** How often that is looked at in this time, and then, in milliseconds. */
const LOOK_AGAIN_MS = 50;
const LOOK_LATER_MS = 200;

/** A right to the session's standalone stream. */
export interface Claim {
  readonly n: number;
  /** The generation of connections that it belongs to, see `StandaloneCursor`. */
  readonly generation: number;
}

export interface OwnershipContext {
  readonly nodeId: string;
  readonly lease: Pick<NodeLease, 'runsUntil'>;
}

/** Who wants the stream. */
export interface Claimant {
  /** The session's facts as they are now. */
  readonly facts: ProtocolFacts;
  /** Where its client is; `undefined`: it does not say. */
  readonly cursor: StandaloneCursor | undefined;
  /** Whether a connection of the stream is open on this node. */
  readonly isOpen: () => boolean;
}

/** What came of an attempt to claim the stream. */
export type ClaimOutcome =
  | {
      readonly claim: Claim;
      /** Id of the last event that its client has, or that was delivered. */
      readonly after: string | undefined;
    }
  /** It is not to be had, and what is left of an earlier generation is. */
  | { readonly span: Span }
  | { readonly heldBy: OwnedBy };

/** Another node holds the stream. */
export interface OwnedBy {
  readonly n: number;
  /** How long it is taken to live, in Unix milliseconds. */
  readonly until: number;
}

/**
 * Makes a node the holder of a session's standalone stream: there is one at a time, on all nodes together.
 *
 * The holder is a fact of the session, and counts while its node lives. A cursor of the holder's own generation takes the stream over: its client is the one
 * whose connection this was, and that may be dead without our knowing. A mark in the stream itself ends the connection of the former holder: what follows in the
 * log is sent by the new one only. A cursor of an earlier generation gets what is left of that one. When nothing is, its client has the rights of one
 * without a cursor: to begin a new generation, where the stream is not held.
 *
 * @throws HttpError 409 where it is open on this node, and not to be taken over.
 */
export async function claimOwnership(
  session: AnySession,
  { facts, cursor, isOpen }: Claimant,
  { nodeId, lease }: OwnershipContext,
): Promise<ClaimOutcome> {
  for (let current = facts; ;) {
    const holder = listenerOf(current);
    const continued = cursor?.generation === holder.generation;
    if (!continued) {
      const left = cursor === undefined ? undefined : await spanAfter(session, current, cursor);
      if (left !== undefined) return { span: left };
      const heldBy = isOpen() ? 'this node' : await heldElsewhere(holder, nodeId, lease);
      const lost = heldBy === undefined || cursor !== undefined ? undefined : await unsureSpan(session, current);
      if (lost !== undefined) return { span: lost };
      if (heldBy === 'this node') throw streamAlreadyOpen();
      if (heldBy !== undefined) return { heldBy };
    }
    const n = holder.n + 1;
    const claim = { n, generation: continued ? holder.generation : n };
    let after: string | undefined;
    let won = false;
    current = await session.updateProtocol((latest) => {
      won = listenerOf(latest).n === holder.n;
      if (!won) return latest;
      const listener = { ...claim, nodeId, since: Date.now() };
      after = continued ? cursor.id : beginsAfter(latest, cursor);
      if (after === undefined) return { ...latest, listener };
      if (!continued) return { ...latest, listener, generations: withBeginning(latest, { ...claim, after }) };
      return { ...latest, listener, ...(!isUnsure(latest) && { standaloneCursor: after }) };
    });
    if (!won) continue;
    if (holder.nodeId !== undefined && holder.nodeId !== nodeId) await leaveMark(session, claim);
    return { claim, after };
  }
}

async function heldElsewhere(
  { n, nodeId, since }: Listener,
  ownNodeId: string,
  lease: OwnershipContext['lease'],
): Promise<OwnedBy | undefined> {
  if (nodeId === undefined || nodeId === ownNodeId) return undefined;
  const until = await lease.runsUntil(nodeId, since);
  return until > Date.now() ? { n, until } : undefined;
}

/**
 * Where a new generation begins. For a client without a cursor: behind what counts as delivered. One that has had an earlier generation has cursors, and will come
 * back for what was written to its other stream with a cursor of that.
 */
function beginsAfter(facts: ProtocolFacts, cursor: StandaloneCursor | undefined): string | undefined {
  const delivered = standaloneCursorOf(facts);
  return cursor === undefined ? delivered : laterOf(cursor.id, listenerOf(facts).written ?? delivered);
}

/** Tells how long one who is not to take the stream over waits for it. */
export class ClaimWait {
  readonly #begun: number = performance.now();
  #first: OwnedBy | undefined;

  /**
   * @returns After how many milliseconds to look again.
   * @throws HttpError 409 when the holder is known to live.
   */
  lookAgainAfter(heldBy: OwnedBy): number {
    this.#first ??= heldBy;
    // A client that has closed its stream and opens the next one can be quicker than the node that it has left.
    if (performance.now() - this.#begun < GONE_WITHIN_MS) return LOOK_AGAIN_MS;
    // It has said so since we look. Of one that is dead we would not know before its lease is over, and its client is not to be turned away.
    if (heldBy.n !== this.#first.n || heldBy.until > this.#first.until) throw streamAlreadyOpen();
    return LOOK_LATER_MS;
  }
}

/** The later one of two events. */
function laterOf(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return seqOf(a) > seqOf(b) ? a : b;
}

/** Ends the connection of the former holder. Where that fails, the claim is nobody's. */
async function leaveMark(session: AnySession, claim: Claim): Promise<void> {
  try {
    await appendWithRetry(session, STANDALONE_STREAM, takenMarker(claim.n));
  } catch (error) {
    await releaseOwnership(session, claim).catch(() => undefined);
    throw error;
  }
}

/** How far a connection of the standalone stream came. */
export interface Delivery {
  /** Id of the last event that was written to it, or that it began after. */
  readonly written: string | undefined;
  /** Id of the last one that counts as delivered by it; `undefined`: none does. */
  readonly delivered: string | undefined;
}

/**
 * Gives a claim back, unless it was taken over.
 *
 * @param delivery What came of it. Default: nothing.
 */
export async function releaseOwnership(
  session: AnySession,
  claim: Claim,
  { written, delivered }: Partial<Delivery> = {},
): Promise<void> {
  if (listenerOf(session.protocol).n !== claim.n) return;
  await session.updateProtocol((facts) =>
    listenerOf(facts).n === claim.n
      ? {
          ...facts,
          listener: { ...claim, ...(written !== undefined && { written }) },
          standaloneCursor: delivered ?? standaloneCursorOf(facts),
        }
      : facts,
  );
}

/** Ends the connection that another node holds, and gives its place back: its client comes back with its cursor. */
export async function evictOwner(session: AnySession, nodeId: string): Promise<void> {
  let dismissed = false;
  const facts = await session.updateProtocol((latest) => {
    const holder = listenerOf(latest);
    dismissed = holder.nodeId !== undefined && holder.nodeId !== nodeId;
    return dismissed ? { ...latest, listener: { n: holder.n + 1, generation: holder.generation } } : latest;
  });
  if (dismissed) await appendWithRetry(session, STANDALONE_STREAM, takenMarker(listenerOf(facts).n));
}

export function streamAlreadyOpen(): HttpError {
  return new HttpError(409, 'Conflict: Only one SSE stream is allowed per session');
}
