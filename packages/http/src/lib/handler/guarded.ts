import { kindOf } from '@mcp-session/core/backend';
import type { ServerResponse } from 'node:http';
import { bodyOfResponse } from '../protocol/buffered-body.ts';
import { errorToResponse, isServerFault } from '../protocol/http-errors.ts';
import type { Gate } from '../request/gate.ts';
import { checkBodyUnread } from '../request/body.ts';
import type { Journal } from '../reports/journal.ts';
import { type FetchOptions, fetchOptionsOf } from './session-handler.ts';

export interface GuardContext {
  readonly gate: Gate;
  readonly journal: Journal;
  readonly onError: (error: unknown) => void;
}

/**
 * Makes the `fetch` of a handler: checks what it gets, lets only allowed requests through, reports
 * what fails and never rejects.
 */
export function guarded<AuthInfo>(
  { gate, journal, onError }: GuardContext,
  answer: (request: Request, options: FetchOptions<AuthInfo>) => Promise<Response>,
): (request: Request, options?: FetchOptions<AuthInfo>) => Promise<Response> {
  return async (request, options = {}) => {
    const mistake = mistakenRequest(request);
    if (mistake !== undefined) {
      onError(mistake);
      const refusal = errorToResponse(mistake);
      try {
        endNodeResponse(options, bodyOfResponse(refusal));
      } catch (error) {
        onError(error);
      }
      return refusal;
    }
    try {
      const given = fetchOptionsOf(options);
      gate.check(request, given.authInfo !== undefined && given.authInfo !== null);
      if (given.parsedBody === undefined) checkBodyUnread(request);
      return await answer(request, given);
    } catch (error) {
      if (isServerFault(error)) onError(error);
      const refusal = errorToResponse(error);
      try {
        journal.refused(request, error);
        return gate.open(request, refusal);
      } catch {
        // The request cannot be read, so neither the journal nor the gate can look at it.
        return refusal;
      }
    }
  };
}

/** @returns `undefined`: it is a web-standard request, of whichever class. */
function mistakenRequest(request: unknown): TypeError | undefined {
  try {
    const { method, url, headers } = (request ?? {}) as Readonly<Record<string, unknown>>;
    const { get } = (headers ?? {}) as { readonly get?: unknown };
    if (typeof method === 'string' && typeof url === 'string' && typeof get === 'function') return undefined;
    return new TypeError(
      `fetch got ${kindOf(request)}, not a web-standard Request; with node:http, Express or Fastify, use toNodeHandler(handler)`,
    );
  } catch (cause) {
    return new TypeError('fetch got a request that cannot be read', { cause });
  }
}

/**
 * Ends the response that `createServer(handler.fetch)` of `node:http` passes as the options: its
 * client would wait forever.
 */
function endNodeResponse(given: unknown, body: string | undefined): void {
  const { headersSent, writeHead, end } = (given ?? {}) as Readonly<Record<string, unknown>>;
  if (headersSent !== false || typeof writeHead !== 'function' || typeof end !== 'function') return;
  (given as ServerResponse).writeHead(500, { 'content-type': 'application/json' }).end(body);
}
