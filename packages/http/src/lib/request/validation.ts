import { HttpError } from '../protocol/http-errors.ts';
import { INVALID_REQUEST, isRequest, type JsonRpcRequest } from '../protocol/json-rpc.ts';
import { LAST_BATCH_REVISION } from '../protocol/revisions.ts';
import type { Posted } from './body.ts';

/**
 * @throws HttpError 400 for a batch in a revision without batches, and for a batch in which two
 * requests have the same id.
 */
export function checkBatch({ messages, isBatch }: Posted, protocolVersion: string): void {
  const ids = messages.filter(isRequest).map(({ id }) => id);
  if (new Set(ids).size < ids.length) {
    throw new HttpError(400, 'Invalid Request: two requests of a batch have the same id', INVALID_REQUEST);
  }
  if (isBatch && protocolVersion > LAST_BATCH_REVISION) {
    throw new HttpError(400, `Invalid Request: protocol version ${protocolVersion} has no batches`, INVALID_REQUEST);
  }
}

/**
 * The `initialize` request of a POST; `undefined`: there is none.
 *
 * @throws HttpError 400 if other messages are in the batch.
 */
export function findInitialize({ messages }: Posted): JsonRpcRequest | undefined {
  const found = messages.filter(isRequest).find(({ method }) => method === 'initialize');
  if (found !== undefined && messages.length > 1) {
    throw new HttpError(400, 'Invalid Request: Only one initialization request is allowed', INVALID_REQUEST);
  }
  return found;
}
