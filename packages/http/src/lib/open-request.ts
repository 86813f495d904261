import type { JsonRpcRequest, JsonRpcResponse } from './json-rpc.ts';

/** A client's request that the server has not answered yet. */
export interface OpenRequest {
  readonly request: JsonRpcRequest;
  /** Where its messages go; `undefined`: to the standalone stream. */
  readonly stream: RequestOutput | undefined;
  readonly answer: (response: JsonRpcResponse) => Promise<void> | void;
  answered: boolean;
}

/** The stream on which requests are answered, as their transport uses it. */
export interface RequestOutput {
  readonly streamId: string;
  /** Number of the session's newest event when the requests came: what was posted up to there is not about them. */
  readonly sinceSeq: number;
  /**
   * Stores a message or a mark on the stream.
   *
   * @param again Whether it is tried again where the store says that it can go well. Default: `false`.
   */
  append(message: unknown, again?: boolean): Promise<void>;
}
