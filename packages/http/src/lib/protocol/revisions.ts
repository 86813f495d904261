import { HttpError } from './http-errors.ts';

/**
 * The revision of a client that names none (MCP 2025-11-25, basic/transports, Protocol Version
 * Header).
 */
export const DEFAULT_REVISION = '2025-03-26';

/** The last revision with batches: 2025-06-18 removed them. */
export const LAST_BATCH_REVISION = '2025-03-26';

/**
 * The first revision whose clients accept events with empty data and resume a stream that the
 * server closed.
 */
export const FIRST_POLLING_REVISION = '2025-11-25';

/** The first revision without sessions on the wire. */
export const FIRST_STATELESS_REVISION = '2026-07-28';

/**
 * The revision that governs a request: the one that its session negotiated. The header may be
 * missing, or name any supported revision (MCP 2025-11-25, basic/transports, Protocol Version
 * Header).
 *
 * @throws HttpError 400 if the header names a revision that is neither supported nor the session's
 * own.
 */
export function requestRevision(
  request: Request,
  sessionVersion: string | undefined,
  supported: readonly string[],
): string {
  const named = request.headers.get('mcp-protocol-version') ?? undefined;
  if (named !== undefined && named !== sessionVersion && !supported.includes(named)) {
    throw new HttpError(
      400,
      `Bad Request: Unsupported protocol version: ${named.slice(0, 80)} (supported versions: ${supported.join(', ')})`,
    );
  }
  return sessionVersion ?? named ?? DEFAULT_REVISION;
}
