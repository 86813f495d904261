import type { JsonRpcRequest, JsonRpcResponse } from './json-rpc.ts';

/** A client's request that the server has not answered yet. */
export interface OpenRequest {
  readonly request: JsonRpcRequest;
  /** Where its messages go; `undefined`: to the standalone stream. */
  readonly streamId: string | undefined;
  /** Number of the event with which its stream began; 0 where it has none. */
  readonly openedSeq: number;
  readonly answer: (response: JsonRpcResponse) => Promise<void> | void;
  answered: boolean;
}

/** A stream that was begun for requests. */
export interface OpenedStream {
  readonly streamId: string;
  /** Id of its first event. */
  readonly cursor: string;
}
