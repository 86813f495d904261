import { sessionNotFound } from '../protocol/http-errors.ts';
import type { JsonRpcMessage, JsonRpcRequest } from '../protocol/json-rpc.ts';
import { type Posted, readMessages } from './body.ts';
import { findInitialize } from './validation.ts';

/** A POST as it was read. */
export interface ReadPost {
  readonly posted: Posted;
  /** `undefined`: it begins no session. */
  readonly initialize: JsonRpcRequest | undefined;
}

export interface ReadPostOptions {
  readonly maxBodyBytes: number;
  readonly parse: (value: unknown) => JsonRpcMessage;
  /** Whether the request names a session that does not exist. Only an `initialize` gets further. */
  readonly isUnknown: boolean;
}

/** @throws HttpError 413, 415, 400; always 404 for an unknown session. */
export async function readPost(
  request: Request,
  parsedBody: unknown,
  { isUnknown, ...options }: ReadPostOptions,
): Promise<ReadPost> {
  try {
    const posted = await readMessages(request, parsedBody, options);
    return { posted, initialize: findInitialize(posted) };
  } catch (error) {
    throw isUnknown ? sessionNotFound() : error;
  }
}
