import type { ProtocolFacts } from '@mcp-session/core';
import { settingsOf } from './client-settings.ts';
import {
  errorResponse,
  INVALID_PARAMS,
  isNotification,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type JsonRpcResponse,
  textParam,
} from '../protocol/json-rpc.ts';
import type { LocalSession } from './local-session.ts';
import type { StoreHealth } from '../store/health.ts';

// A session has 256 KiB for all facts about it. What its client has said must leave room for what the handler and the application keep there.
const MAX_SUBSCRIPTIONS = 1_000;
const MAX_SUBSCRIPTIONS_BYTES = 65_536;
const MAX_URI_BYTES = 2_048;

/** A client asks for more than is kept of it. */
class Excess extends Error {}

/**
 * The answer to a request by which a client asks for more than is kept of it, for which its server is not asked.
 *
 * @returns `undefined`: it does not.
 */
export function refusalOf(local: LocalSession, request: JsonRpcRequest): JsonRpcResponse | undefined {
  try {
    changeBy(request)?.(local.session.protocol);
    return undefined;
  } catch (error) {
    return refused(request, error);
  }
}

/**
 * Keeps with the session what its server was asked to remember, for those on other nodes and those that come after it.
 *
 * @returns The answer in place of the server's where it is more than can be kept.
 */
export async function remember(local: LocalSession, request: JsonRpcRequest): Promise<JsonRpcResponse | undefined> {
  const change = changeBy(request);
  if (change === undefined) return undefined;
  try {
    await changeSettings(local, change);
    return undefined;
  } catch (error) {
    return refused(request, error);
  }
}

/** Keeps what notifications say that concerns each server of the session. That roots have changed is told to this one also where the store fails. */
export async function rememberTold(
  local: LocalSession,
  messages: readonly JsonRpcMessage[],
  health: StoreHealth,
): Promise<void> {
  const told = (method: string): boolean =>
    messages.some((message) => isNotification(message) && message.method === method);
  const initialized = told('notifications/initialized');
  const roots = told('notifications/roots/list_changed') ? 1 : 0;
  if (!initialized && roots === 0) return;
  try {
    await changeSettings(local, (facts) => ({
      ...facts,
      ...(initialized && { initialized }),
      rootsVersion: settingsOf(facts).rootsVersion + roots,
    }));
  } catch (error) {
    if (initialized || !health.canDoWithout(error)) throw error;
  }
}

/** What an answered request changes; it throws where that is too much. `undefined`: nothing. */
function changeBy({ method, params }: JsonRpcRequest): ((facts: ProtocolFacts) => ProtocolFacts) | undefined {
  const level = method === 'logging/setLevel' ? textParam(params, 'level') : undefined;
  if (level !== undefined) return (facts) => ({ ...facts, logLevel: level });
  const uri = textParam(params, 'uri');
  if (uri === undefined || !(method === 'resources/subscribe' || method === 'resources/unsubscribe')) return undefined;
  return (facts) => {
    const others = (facts.subscriptions ?? []).filter((each) => each !== uri);
    if (method === 'resources/unsubscribe') return { ...facts, subscriptions: others };
    const subscriptions = [...others, uri];
    if (Buffer.byteLength(uri) > MAX_URI_BYTES)
      throw new Excess(`A URI can be subscribed to that has ${MAX_URI_BYTES} bytes at the most`);
    if (subscriptions.length > MAX_SUBSCRIPTIONS)
      throw new Excess(`A session can have ${MAX_SUBSCRIPTIONS} subscriptions; unsubscribe from others first`);
    if (Buffer.byteLength(subscriptions.join('')) > MAX_SUBSCRIPTIONS_BYTES)
      throw new Excess(
        `The URIs of a session's subscriptions can have ${MAX_SUBSCRIPTIONS_BYTES} bytes; unsubscribe from others first`,
      );
    return { ...facts, subscriptions };
  };
}

function refused({ id }: JsonRpcRequest, error: unknown): JsonRpcResponse {
  if (error instanceof Excess) return errorResponse(id, INVALID_PARAMS, error.message);
  throw error;
}

/** Stores a change that this node's server knows of. */
async function changeSettings(local: LocalSession, change: (facts: ProtocolFacts) => ProtocolFacts): Promise<void> {
  const facts = await local.session.updateProtocol((current) => ({
    ...change(current),
    settings: settingsOf(current).version + 1,
  }));
  const settings = settingsOf(facts);
  // Where another node has changed something as well, the server hears of both changes with its next request.
  if (settings.version === local.clientSettings.version + 1) local.clientSettings = settings;
}
