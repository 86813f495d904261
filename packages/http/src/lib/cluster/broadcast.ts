import { SessionError, type ListSessionsOptions } from '@mcp-session/core';
import { checkOptions, kindOf, type OptionNames } from '@mcp-session/core/backend';
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
  /**
   * Only the sessions of this principal; `null`: only those without one. Default: all sessions. An
   * explicit `undefined` is a mistake.
   */
  readonly principal?: string | null;
}

const OPTIONS: OptionNames<BroadcastOptions> = { principal: ['to', 'user', 'userId'] };

/** How many sessions are written to at the same time. */
const PAGE = 100;

/**
 * Appends a notification to the standalone stream of every session that is served over HTTP.
 *
 * @returns How many sessions got it.
 * @throws TypeError for no notification, for unknown options, and for a principal that is
 * `undefined`.
 */
export async function broadcast(
  store: AnyStore,
  given: BroadcastNotification,
  options: BroadcastOptions,
): Promise<number> {
  const notification = toNotification(given);
  checkOptions(options, OPTIONS, 'broadcast');
  // Often the result of a failed lookup, which must not reach every session.
  if ('principal' in options && options.principal === undefined) {
    throw new TypeError('Option principal of broadcast is undefined; give null for nobody, or leave it out for all');
  }
  let reached = 0;
  let query: ListSessionsOptions | undefined = { ...options, limit: PAGE };
  while (query !== undefined) {
    const { sessions, nextCursor } = await store.list(query);
    const served = sessions.filter(({ protocol }) => protocol.protocolVersion !== undefined);
    const outcomes = await Promise.all(served.map((session) => append(session, notification)));
    reached += outcomes.filter(Boolean).length;
    query = nextCursor === undefined ? undefined : { ...options, limit: PAGE, cursor: nextCursor };
  }
  return reached;
}

function toNotification(given: BroadcastNotification): JsonRpcNotification {
  if (kindOf(given) !== 'an object') {
    throw new TypeError(`A broadcast takes { method, params }, not ${kindOf(given)}`);
  }
  const { method, params } = given;
  if (typeof method !== 'string') throw new TypeError(`Method of a broadcast is ${kindOf(method)}, not a string`);
  if (params === undefined) return { jsonrpc: '2.0', method };
  if (kindOf(params) !== 'an object') {
    throw new TypeError(`Params of a broadcast are ${kindOf(params)}, not a plain object`);
  }
  return { jsonrpc: '2.0', method, params };
}

/** @returns Whether the session was still live. */
async function append(session: AnySession, notification: JsonRpcNotification): Promise<boolean> {
  try {
    await appendWithRetry(session, STANDALONE_STREAM, notification, { renew: false });
    return true;
  } catch (error) {
    if (error instanceof SessionError && error.code === 'SESSION_NOT_FOUND') return false;
    throw error;
  }
}
