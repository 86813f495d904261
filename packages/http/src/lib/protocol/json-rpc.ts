/** An id of a JSON-RPC request: the two kinds that MCP allows. */
export type RequestId = string | number;

/** A JSON-RPC request. Its parameters are not validated. */
export interface JsonRpcRequest {
  readonly jsonrpc: '2.0';
  readonly id: RequestId;
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
}

/** A JSON-RPC notification. */
export interface JsonRpcNotification {
  readonly jsonrpc: '2.0';
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
}

/** The error of a JSON-RPC response. */
export interface JsonRpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/**
 * A JSON-RPC response, with a `result` or an `error`. An error has no id if the request's id could
 * not be read.
 */
export interface JsonRpcResponse {
  readonly jsonrpc: '2.0';
  readonly id?: RequestId | undefined;
  readonly result?: unknown;
  readonly error?: JsonRpcError;
}

/** A message of either SDK line, with the parts that this package reads. */
export type JsonRpcMessage = JsonRpcRequest | JsonRpcNotification | JsonRpcResponse;

/** Codes of JSON-RPC 2.0, section 5.1, and those that the official SDKs use over HTTP. */
export const PARSE_ERROR = -32_700;
export const INVALID_REQUEST = -32_600;
export const INVALID_PARAMS = -32_602;
export const INTERNAL_ERROR = -32_603;
export const SERVER_ERROR = -32_000;
export const SESSION_NOT_FOUND = -32_001;

export function isRequest(message: JsonRpcMessage): message is JsonRpcRequest {
  return 'method' in message && 'id' in message && message.id !== undefined;
}

export function isNotification(message: JsonRpcMessage): message is JsonRpcNotification {
  return 'method' in message && !isRequest(message);
}

export function isResponse(message: JsonRpcMessage): message is JsonRpcResponse {
  return !('method' in message);
}

/** Whether the message cancels a request. */
export function isCancellation(message: JsonRpcMessage): boolean {
  return 'method' in message && message.method === 'notifications/cancelled';
}

export function cancellation(requestId: RequestId, reason: string): JsonRpcNotification {
  return { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId, reason } };
}

export function errorResponse(id: RequestId, code: number, message: string): JsonRpcResponse {
  return { jsonrpc: '2.0', id, error: { code, message } };
}

/** Whether a stored event is a message for the client. Markers and priming events are not. */
export function isMessage(value: unknown): value is JsonRpcMessage {
  return typeof value === 'object' && value !== null && 'jsonrpc' in value;
}

/** A string property of a request's parameters. */
export function textParam(params: JsonRpcRequest['params'], name: string): string | undefined {
  const value = params?.[name];
  return typeof value === 'string' ? value : undefined;
}

export function isRequestId(value: unknown): value is RequestId {
  return typeof value === 'string' || typeof value === 'number';
}
