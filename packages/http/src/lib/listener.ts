import type { ProtocolFacts } from '@mcp-session/core';
import { setTimeout as pause } from 'node:timers/promises';
import { type Listener, listenerOf } from './facts.ts';
import { HttpError } from './http-errors.ts';
import type { LocalSettings } from './local-session.ts';
import { type AnySession, appendAgain, listenerMark, STANDALONE_STREAM } from './streams.ts';

/** How long a listener on another node may take to be known as gone, and how often that is looked at, in milliseconds. */
const GONE_WITHIN_MS = 500;
const LOOK_AGAIN_MS = 50;

/** A claim to a session's standalone stream. */
export interface ClaimOptions {
  /** The session's facts as they are now, and reads them again. */
  readonly facts: ProtocolFacts;
  readonly readFacts: () => Promise<ProtocolFacts>;
  /** Whether a connection that another node holds is closed for this one, or keeps its place. */
  readonly takeOver: boolean;
  /** Id of the last event that the client has. */
  readonly cursor: string | undefined;
}

/**
 * Makes a node the holder of a session's standalone stream: there is one at a time, on all nodes together.
 *
 * The holder is a fact of the session, and counts while its node lives. Who takes over leaves a mark in the stream itself, at which
 * the connection of the former holder ends: what follows in the log is sent by the new one only.
 *
 * @returns The number of this claim, and the session's facts as of it.
 * @throws HttpError 409 where another node holds the stream and is not to be taken over.
 */
export async function claimListener(
  session: AnySession,
  { facts, readFacts, takeOver, cursor }: ClaimOptions,
  { nodeId, lease }: Pick<LocalSettings, 'nodeId' | 'lease'>,
): Promise<{ readonly claim: number; readonly facts: ProtocolFacts }> {
  const giveUpAt = performance.now() + GONE_WITHIN_MS;
  for (let current = facts; ;) {
    const holder = listenerOf(current);
    if (!takeOver && (await isHeldElsewhere(holder, nodeId, lease))) {
      // A client that has closed its stream and opens the next one can be quicker than the node that it has left.
      if (performance.now() > giveUpAt) throw secondListener();
      await pause(LOOK_AGAIN_MS);
      current = await readFacts();
      continue;
    }
    const listener = { n: holder.n + 1, nodeId, since: Date.now() };
    let won = false;
    current = await session.updateProtocol((latest) => {
      won = listenerOf(latest).n === holder.n;
      if (!won) return latest;
      return { ...latest, listener, ...(cursor !== undefined && { standaloneCursor: cursor }) };
    });
    if (!won) continue;
    if (holder.nodeId !== undefined && holder.nodeId !== nodeId) await leaveMark(session, listener.n);
    return { claim: listener.n, facts: current };
  }
}

/** Ends the connection of the former holder. Where that fails, the claim is nobody's. */
async function leaveMark(session: AnySession, claim: number): Promise<void> {
  try {
    await appendAgain(session, STANDALONE_STREAM, listenerMark(claim));
  } catch (error) {
    await releaseListener(session, claim).catch(() => undefined);
    throw error;
  }
}

/** Gives a claim back, unless it was taken over. */
export async function releaseListener(session: AnySession, claim: number): Promise<void> {
  if (listenerOf(session.protocol).n !== claim) return;
  await session.updateProtocol((facts) =>
    listenerOf(facts).n === claim ? { ...facts, listener: { n: claim } } : facts,
  );
}

export function secondListener(): HttpError {
  return new HttpError(409, 'Conflict: only one standalone stream is allowed per session');
}

async function isHeldElsewhere(
  { nodeId: holder, since }: Listener,
  nodeId: string,
  lease: LocalSettings['lease'],
): Promise<boolean> {
  if (holder === undefined || holder === nodeId) return false;
  return (await lease.runsUntil(holder, since)) > Date.now();
}
