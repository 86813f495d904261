import { SessionError, type ListSessionsOptions } from '@mcp-session/core';
import { checkOptions, type OptionNames } from '@mcp-session/core/backend';
import type { JsonRpcNotification } from '../protocol/json-rpc.ts';
import { STANDALONE_STREAM } from '../stream/stream-ids.ts';
import type { AnySession, AnyStore } from '../store/session-handle.ts';
import { appendWithRetry } from '../store/append-with-retry.ts';

/** A notification as both SDK lines take it. */
export interface BroadcastNotification {
  readonly method: string;
  /** JSON. Default: `undefined`, none. */
  readonly params?: Readonly<Record<string, unknown>> | undefined;
}

/** Who gets a broadcast. */
export interface BroadcastOptions {
  /** Only the sessions of this principal; `null`: only those without one. Where it is left out: all. Given as `undefined`, it is a mistake. */
  readonly principal?: string | null;
}

const OPTIONS: OptionNames<BroadcastOptions> = { principal: ['to', 'user', 'userId'] };

/** Sessions that are told at the same time. */
const PAGE = 100;

/**
 * Appends a notification to the standalone stream of every session that is served over HTTP.
 *
 * @returns To how many.
 * @throws TypeError for options that are not known, and for a principal that is `undefined`.
 */
export async function broadcast(
  store: AnyStore,
  { method, params }: BroadcastNotification,
  options: BroadcastOptions,
): Promise<number> {
  checkOptions(options, OPTIONS, 'broadcast');
  // Often a lookup that found nobody. It must not reach everybody.
  if ('principal' in options && options.principal === undefined)
    throw new TypeError('Option principal of broadcast is undefined; give null for nobody, or leave it out for all');
  if (typeof method !== 'string') throw new TypeError('Method of a broadcast notification is not a text');
  const notification: JsonRpcNotification = { jsonrpc: '2.0', method, ...(params !== undefined && { params }) };
  let told = 0;
  let query: ListSessionsOptions | undefined = { ...options, limit: PAGE };
  while (query !== undefined) {
    const { sessions, nextCursor } = await store.list(query);
    const served = sessions.filter(({ protocol }) => protocol.protocolVersion !== undefined);
    const outcomes = await Promise.all(served.map((session) => tell(session, notification)));
    told += outcomes.filter(Boolean).length;
    query = nextCursor === undefined ? undefined : { ...options, limit: PAGE, cursor: nextCursor };
  }
  return told;
}

/** @returns Whether the session was still there. */
async function tell(session: AnySession, notification: JsonRpcNotification): Promise<boolean> {
  try {
    await appendWithRetry(session, STANDALONE_STREAM, notification, { renew: false });
    return true;
  } catch (error) {
    if (error instanceof SessionError && error.code === 'SESSION_NOT_FOUND') return false;
    throw error;
  }
}
