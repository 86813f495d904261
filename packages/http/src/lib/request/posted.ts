import type { JsonRpcMessage, JsonRpcRequest } from '../protocol/json-rpc.ts';
import type { OperationReport } from '../reports/operation.ts';
import type { Caller } from '../session/sdk-adapter.ts';
import type { PostResponse } from '../stream/post-response.ts';
import type { AnswerForm } from './accept.ts';

/** The messages of a POST, for a session. */
export interface PostedTo {
  readonly messages: readonly JsonRpcMessage[];
  /** The protocol revision that governs the request. */
  readonly revision: string;
  /** Number of the session's newest event when the request came; `undefined`: unknown. */
  readonly lastSeq: number | undefined;
  readonly caller: Caller;
  readonly form: AnswerForm;
  readonly isBatch: boolean;
  /** Whether the session's standalone stream was open on some node when the request came. */
  readonly hasListener: boolean;
}

/** A request that is being answered. */
export interface Running {
  readonly request: JsonRpcRequest;
  readonly stream: PostResponse;
  /** `undefined`: it is not reported. */
  readonly report: OperationReport | undefined;
  /** Is called once, when the request is answered or cancelled: it does not count any more. */
  readonly done: () => void;
}

/** A POST whose requests are being answered. */
export interface Responding {
  readonly requests: readonly JsonRpcRequest[];
  readonly form: AnswerForm;
  readonly isBatch: boolean;
  /** Whether the client resumes a stream that the server closed. */
  readonly polls: boolean;
  readonly revision: string;
  readonly caller: Caller;
  readonly extra: unknown;
}
