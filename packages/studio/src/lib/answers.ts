import { SessionError, type SessionErrorCode } from '@mcp-session/core';

/**
 * Headers of every response. The page loads and sends nothing but its own: no inline script or
 * style, no frame, no other origin, and no text that becomes markup.
 */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** A refusal, in the words that the page shows. */
export class StudioError extends Error {
  override readonly name = 'StudioError';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** A body of a response. */
type Body = string | ReadableStream<Uint8Array> | null;

/** A response with the headers that every response has. */
export function respond(status: number, body: Body, headers: Readonly<Record<string, string>>): Response {
  return new Response(body, { status, headers: { 'cache-control': 'no-store', ...HEADERS, ...headers } });
}

export function json(value: unknown, status = 200): Response {
  return respond(status, JSON.stringify(value), { 'content-type': 'application/json; charset=utf-8' });
}

const STATUS: Partial<Record<SessionErrorCode, number>> = { SESSION_NOT_FOUND: 404, EVENTS_TRIMMED: 410 };

/**
 * The response to a failure.
 *
 * @param onError Is called with failures that are not the client's fault.
 */
export function failure(error: unknown, onError: (error: unknown) => void): Response {
  const { status, code, message } = describe(error);
  if (status >= 500) onError(error);
  return json({ error: { code, message } }, status);
}

/** What a client reads about a failure. */
export function describe(error: unknown): {
  readonly status: number;
  readonly code: string;
  readonly message: string;
} {
  if (error instanceof StudioError) return error;
  if (error instanceof SessionError) {
    const { code, message } = error;
    const status = STATUS[code] ?? (code.startsWith('STORE_') ? 503 : 400);
    return { status, code, message };
  }
  return { status: 500, code: 'UNEXPECTED', message: 'Studio failed; its operator gets the error' };
}
