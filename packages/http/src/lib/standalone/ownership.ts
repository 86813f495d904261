import type { NodeLease } from '../cluster/lease.ts';
import { HttpError } from '../protocol/http-errors.ts';
import { appendWithRetry } from '../store/append-with-retry.ts';
import type { StoreHealth } from '../store/health.ts';
import type { AnySession } from '../store/session-handle.ts';
import { factsOf, type StandaloneRecord, updateStandalone } from '../store/session-record.ts';
import { challengedMarker, takenMarker } from '../stream/markers.ts';
import { seqOf, STANDALONE_STREAM } from '../stream/stream-ids.ts';
import type { StandaloneCursor } from './cursor.ts';
import { lostSpan, mayHaveLost, type Span, spanAfter, withStart } from './generations.ts';

// The owner of a standalone stream is the node that has the stream's newest connection. There is
// one owner at a time over all nodes. The session's record says who it is, and changes by
// compare-and-set:
//
// | state | record                  | claim, same generation | other claim           | release | evict           |
// | ----- | ----------------------- | ---------------------- | --------------------- | ------- | --------------- |
// | free  | no node, or a dead one  | owned, epoch + 1       | owned, new generation | -       | -               |
// | owned | a node whose lease runs | owned, epoch + 1       | refused               | free    | free, epoch + 1 |
//
// Only the owner with the newest epoch may release. A claim that takes the stream from another node
// appends a marker with the new epoch to the stream. The former owner reads it there and closes its
// connection; what follows in the log is sent by the new owner only.

export interface OwnershipContext {
  readonly nodeId: string;
  readonly lease: Pick<NodeLease, 'runsUntil'>;
  readonly health: Pick<StoreHealth, 'write'>;
}

/** A right to send a session's standalone stream. */
export interface Claim {
  /** A claim with a greater epoch ends this one. */
  readonly epoch: number;
  readonly generation: number;
}

/** Who claims the stream. */
export interface Claimant {
  /** The record as it was read last. */
  readonly record: StandaloneRecord;
  /** Where the client is; `undefined`: it has no cursor. */
  readonly cursor: StandaloneCursor | undefined;
  /** Whether a connection of the stream is open on this node. */
  readonly isOpen: () => boolean;
}

/** The result of a claim. */
export type ClaimOutcome =
  | {
      readonly claim: Claim;
      /** Id of the last event that the client has, or that was delivered. */
      readonly after: string | undefined;
    }
  /**
   * The stream has another owner, but these events of an earlier generation are left for the
   * client.
   */
  | { readonly span: Span }
  /** `here`: a connection of this node has the stream. */
  | { readonly ownedBy: Owner | 'here' };

/** Another node that owns the stream. */
export interface Owner {
  readonly epoch: number;
  /** When its lease expires, in Unix milliseconds. */
  readonly until: number;
}

/**
 * Makes this node the owner of a session's standalone stream, if it may be.
 *
 * A cursor of the newest generation takes the stream over: its client is the one that had the
 * newest connection, which may be dead without the owner knowing. A cursor of an earlier generation
 * gets the rest of that generation. If nothing is left, its client is treated like one
 * without a cursor: it may start a new generation if the stream is free.
 */
export async function claimOwnership(
  session: AnySession,
  { record, cursor, isOpen }: Claimant,
  context: OwnershipContext,
): Promise<ClaimOutcome> {
  for (let current = record; ;) {
    const isContinued = cursor?.generation === current.generation;
    const other = isContinued ? undefined : await withoutClaim(session, current, { cursor, isOpen }, context);
    if (other !== undefined) return other;
    const { epoch: former, nodeId: formerId } = current;
    const epoch = former + 1;
    const claim = { epoch, generation: isContinued ? current.generation : epoch };
    const owner = { ...claim, nodeId: context.nodeId, since: Date.now(), written: undefined };
    let after: string | undefined;
    let won = false;
    const update = (latest: StandaloneRecord): StandaloneRecord => {
      won = latest.epoch === former;
      if (!won) return latest;
      after = isContinued ? cursor.id : startOfNew(latest, cursor);
      const owned = { ...latest, ...owner };
      if (after === undefined) return owned;
      if (!isContinued) return { ...owned, generations: withStart(latest, { generation: epoch, after }) };
      return mayHaveLost(latest) ? owned : { ...owned, delivered: after };
    };
    current = await context.health.write(() => updateStandalone(session, update));
    if (!won) continue;
    if (formerId !== undefined && formerId !== context.nodeId) await endFormerOwner(session, claim, context);
    return { claim, after };
  }
}

/** What to give a client that may not take the stream; `undefined`: the stream has no owner. */
async function withoutClaim(
  session: AnySession,
  record: StandaloneRecord,
  { cursor, isOpen }: Pick<Claimant, 'cursor' | 'isOpen'>,
  { nodeId, lease }: OwnershipContext,
): Promise<ClaimOutcome | undefined> {
  const left = cursor === undefined ? undefined : await spanAfter(session, record, cursor);
  if (left !== undefined) return { span: left };
  const ownedHere = isOpen();
  const ownedBy = ownedHere ? undefined : await otherOwner(record, nodeId, lease);
  if (!ownedHere && ownedBy === undefined) return undefined;
  const lost = cursor === undefined ? await lostSpan(session, record) : undefined;
  if (lost !== undefined) return { span: lost };
  return { ownedBy: ownedBy ?? 'here' };
}

async function otherOwner(
  { epoch, nodeId, since }: StandaloneRecord,
  ownNodeId: string,
  lease: OwnershipContext['lease'],
): Promise<Owner | undefined> {
  if (nodeId === undefined || nodeId === ownNodeId) return undefined;
  const until = await lease.runsUntil(nodeId, since);
  return until > Date.now() ? { epoch, until } : undefined;
}

/**
 * Where a new generation starts. Without a cursor: after what counts as delivered. A client that
 * has a cursor of an earlier generation also has one of the latest, and fetches the rest of that
 * with it. So the new generation starts after the cursor, and after what was written last.
 */
function startOfNew(
  { delivered, written = delivered }: StandaloneRecord,
  cursor: StandaloneCursor | undefined,
): string | undefined {
  return cursor === undefined ? delivered : laterOf(cursor.id, written);
}

function laterOf(a: string, b: string | undefined): string {
  return b === undefined || seqOf(a) > seqOf(b) ? a : b;
}

/**
 * Tells the former owner to close its connection. If the marker cannot be stored, gives up the new
 * claim, and throws the error.
 */
async function endFormerOwner(session: AnySession, claim: Claim, context: OwnershipContext): Promise<void> {
  try {
    await mark(session, takenMarker(claim.epoch), context);
  } catch (error) {
    await releaseOwnership(session, claim).catch(() => undefined);
    throw error;
  }
}

/** How far a connection of the standalone stream got. */
export interface Delivery {
  /** Id of the last event that was written to it, or after which it began. */
  readonly written: string | undefined;
  /** Id of the last event that counts as delivered by it; `undefined`: none does. */
  readonly delivered: string | undefined;
}

/**
 * Releases the stream, unless another claim has ended this one. It is tried even if the store is
 * known to fail: a stream that is not released keeps clients of other nodes out.
 *
 * @param delivery Default: nothing was delivered.
 */
export async function releaseOwnership(
  session: AnySession,
  { epoch }: Claim,
  { written, delivered }: Partial<Delivery> = {},
): Promise<void> {
  if (factsOf(session).record.standalone.epoch !== epoch) return;
  await updateStandalone(session, (record) =>
    record.epoch === epoch
      ? { ...record, nodeId: undefined, since: undefined, written, delivered: delivered ?? record.delivered }
      : record,
  );
}

/**
 * Ends the connection that another node has open and frees the stream. The client comes back with
 * its cursor.
 */
export async function evictOwner(session: AnySession, context: OwnershipContext): Promise<void> {
  const { nodeId, health } = context;
  let isEvicted = false;
  const update = (record: StandaloneRecord): StandaloneRecord => {
    isEvicted = record.nodeId !== undefined && record.nodeId !== nodeId;
    const free = { epoch: record.epoch + 1, nodeId: undefined, since: undefined, written: undefined };
    return isEvicted ? { ...record, ...free } : record;
  };
  const { epoch } = await health.write(() => updateStandalone(session, update));
  if (isEvicted) await mark(session, takenMarker(epoch), context);
}

/** Has the owner on another node look after its client, see `Connections.challenge`. */
export async function challengeOwner(session: AnySession, { epoch }: Owner, context: OwnershipContext): Promise<void> {
  await mark(session, challengedMarker(epoch), context);
}

async function mark(session: AnySession, marker: object, { health }: OwnershipContext): Promise<void> {
  await health.write(() => appendWithRetry(session, STANDALONE_STREAM, marker));
}

export function streamAlreadyOpen(): HttpError {
  return new HttpError(409, 'Conflict: Only one SSE stream is allowed per session');
}
