import { setTimeout as pause } from 'node:timers/promises';
import { errorResponse, INTERNAL_ERROR, type JsonRpcResponse, type RequestId } from '../protocol/json-rpc.ts';
import { isOutage } from '../store/health.ts';
import type { AnySession } from '../store/session-handle.ts';

/**
 * The delay before each try, in milliseconds: ten minutes in total. After that, clients go by this
 * node's lease.
 */
const DELAYS_MS = [500, 1_000, 2_000, 5_000, 10_000, ...Array.from({ length: 20 }, () => 30_000)];

/** The error that takes the place of a response that could not be stored. */
export function notStored(id: RequestId): JsonRpcResponse {
  return errorResponse(id, INTERNAL_ERROR, 'Answer could not be stored');
}

/** The error for a request whose server stopped before it had answered. */
export function interrupted(id: RequestId): JsonRpcResponse {
  return errorResponse(id, INTERNAL_ERROR, 'Request was interrupted: the server that handled it has stopped');
}

/**
 * The error that is stored instead of a response that is larger than the store accepts. A client
 * that resumes the request gets it.
 */
export function notKept(id: RequestId, { message }: Error): JsonRpcResponse {
  return errorResponse(
    id,
    INTERNAL_ERROR,
    `Answer was not kept: ${message}. It was sent only to the connection that was open`,
  );
}

/**
 * Settles a request whose response could not be stored, as soon as the store works again. A client
 * that is connected to another node would otherwise wait for as long as this node is alive.
 */
export async function settleLater(session: AnySession, streamId: string, message: unknown): Promise<void> {
  for (const delayMs of DELAYS_MS) {
    await pause(delayMs, undefined, { ref: false });
    try {
      await session.events.append(streamId, message, { renew: false });
      return;
    } catch (error) {
      // Any other error is final, and the next call to the session reports it.
      if (!isOutage(error)) return;
    }
  }
}
