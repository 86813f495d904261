import {
  isRequest,
  isRequestId,
  isResponse,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcResponse,
  type RequestId,
} from '../protocol/json-rpc.ts';
import { appendWithRetry } from '../store/append-with-retry.ts';
import type { StoreHealth } from '../store/health.ts';
import type { AnySession } from '../store/session-handle.ts';
import { NODES_STREAM } from '../stream/stream-ids.ts';
import { nodeOfId } from './server-request-ids.ts';

/** What a client sends besides requests. */
export type ClientMessage = JsonRpcResponse | JsonRpcNotification;

/** The event by which one node leaves a client's message for the others. */
interface Forwarded {
  readonly forwarded: ClientMessage;
}

/** Leaves a client's message for the other nodes of its session, in the session's log. */
export async function forward(
  session: AnySession,
  message: ClientMessage,
  health: Pick<StoreHealth, 'write'>,
): Promise<void> {
  const forwarded: Forwarded = { forwarded: message };
  await health.write(() => appendWithRetry(session, NODES_STREAM, forwarded));
}

/** The message that an event of the nodes' stream holds; `undefined`: none. */
export function forwardedBy(event: unknown): ClientMessage | undefined {
  return (event as Partial<Forwarded> | null)?.forwarded;
}

/**
 * Whether a message means one server instance only: a response, progress or a cancellation. Every
 * other notification is for whichever server has the session.
 */
export function isAddressed(message: JsonRpcMessage): message is ClientMessage {
  if (isRequest(message)) return false;
  return isResponse(message) || isProgress(message) || cancelledId(message) !== undefined;
}

/** Whether another node may wait for a message that nothing on this node waits for. */
export function mayConcernOthers(message: ClientMessage, nodeId: string): boolean {
  if (!isResponse(message) && !isProgress(message)) return true;
  const asked = nodeOfId(isResponse(message) ? message.id : message.params?.['progressToken']);
  return asked !== undefined && asked !== nodeId;
}

export function isProgress(message: ClientMessage): message is JsonRpcNotification {
  return !isResponse(message) && message.method === 'notifications/progress';
}

/** The request that a notification cancels; `undefined`: it cancels none. */
export function cancelledId(message: ClientMessage): RequestId | undefined {
  if (isResponse(message) || message.method !== 'notifications/cancelled') return undefined;
  const requestId = message.params?.['requestId'];
  return isRequestId(requestId) ? requestId : undefined;
}
