import { jsonOf } from '../protocol/buffered-body.ts';
import { sessionNotFound } from '../protocol/http-errors.ts';
import {
  errorResponse,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
  SERVER_ERROR,
} from '../protocol/json-rpc.ts';
import type { LocalSession } from '../session/local-session.ts';
import type { Caller } from '../session/sdk-adapter.ts';
import type { PostResponse } from '../stream/post-response.ts';
import { interrupted } from '../stream/settle-later.ts';
import { Settlement } from '../stream/settlement.ts';

/** A POST whose client reads JSON. */
export interface JsonAnswer {
  readonly requests: readonly JsonRpcRequest[];
  readonly isBatch: boolean;
  readonly caller: Caller;
  /** The beginning of the stream in the log; `undefined`: the stream is not stored. */
  readonly cursor: string | undefined;
}

/**
 * Waits for all responses of a POST and sends them in one body: an array for a batch (JSON-RPC 2.0,
 * section 6). The stream stays in the log.
 *
 * @throws HttpError 404 if the session ended before.
 */
export async function answerAsJson(local: LocalSession, stream: PostResponse, answer: JsonAnswer): Promise<Response> {
  const { requests, isBatch } = answer;
  const settlement = new Settlement(requests.length);
  const responses = await responsesOf(local, stream, answer, settlement);
  const answers = requests.map(({ id }) => {
    const response = responses.find((each) => each.id === id);
    return response ?? withoutResponse(local, id, stream.complete === 'nothing' || settlement.has(id));
  });
  return jsonOf(isBatch ? answers : answers[0]);
}

async function responsesOf(
  { connections, closed }: LocalSession,
  stream: PostResponse,
  { cursor, caller }: JsonAnswer,
  settlement: Settlement,
): Promise<readonly JsonRpcResponse[]> {
  const { complete, streamId } = stream;
  if (complete === 'nothing' || (complete === undefined && closed)) return [];
  if (complete !== undefined) return [complete.message];
  const collected = connections.collect({
    streamId,
    reader: cursor === undefined ? undefined : connections.reader(streamId, cursor),
    settlement,
    request: caller.request,
    expiresAt: caller.authInfo?.expiresAt,
    staysOpen: true,
  });
  stream.attach(connections);
  return collected;
}

/** What a client gets for a request that has no response in the log. */
function withoutResponse(local: LocalSession, id: RequestId, isCancelled: boolean): JsonRpcResponse {
  // The protocol owes a cancelled request no response, but HTTP does.
  if (isCancelled) return errorResponse(id, SERVER_ERROR, 'Request was cancelled');
  if (local.ended) throw sessionNotFound();
  return interrupted(id);
}
