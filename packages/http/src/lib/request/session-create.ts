import { kindOf } from '@mcp-session/core/backend';
import { HttpError } from '../protocol/http-errors.ts';
import type { JsonRpcRequest } from '../protocol/json-rpc.ts';
import type { AuthFacts, Caller } from '../session/sdk-adapter.ts';

/** What `onSessionCreate` gets. */
export interface SessionCreateContext<AuthInfo> {
  /** The request that is to begin a session. */
  readonly request: Request;
  /** Its verified token; `undefined` if it has none. */
  readonly authInfo: AuthInfo | undefined;
  /** The owner of the session; `null`: nobody. */
  readonly principal: string | null;
  /** The parameters of `initialize`, as the client sent them. */
  readonly params: Readonly<Record<string, unknown>>;
}

/** Refuses a session. */
export interface SessionRefusal {
  /** The HTTP status, 400 to 599. */
  readonly status: number;
  /** The message of the error that the client gets. Default: `Session refused`. */
  readonly message?: string;
  /**
   * After how many seconds the client may try again, for `Retry-After`. Default: no such header.
   */
  readonly retryAfterSeconds?: number;
}

/** Decides about a new session; `undefined`: it may begin. */
export type OnSessionCreate<AuthInfo> = (
  context: SessionCreateContext<AuthInfo>,
) => SessionRefusal | undefined | void | Promise<SessionRefusal | undefined | void>;

/** @throws HttpError if the hook refuses. TypeError if it returns something else. */
export async function checkCreate(
  onSessionCreate: OnSessionCreate<AuthFacts> | undefined,
  { params = {} }: JsonRpcRequest,
  { request, authInfo }: Caller,
  principal: string | null,
): Promise<void> {
  const refusal = await onSessionCreate?.({ request, authInfo, principal, params });
  if (refusal === undefined || refusal === null) return;
  const { status, message = 'Session refused', retryAfterSeconds } = refusal;
  if (!Number.isInteger(status) || status < 400 || status > 599) {
    throw new TypeError(
      `Option onSessionCreate returned ${kindOf(refusal)} with the status ${String(status)}; return { status } with 400 to 599, or undefined`,
    );
  }
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterSeconds)) };
  throw new HttpError(status, message, undefined, headers, 'application');
}
