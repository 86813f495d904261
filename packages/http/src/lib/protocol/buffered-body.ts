/**
 * Bodies that are in memory as a whole. The adapter for `node:http` and the handler exchange them
 * here and need no web stream. Other code finds an ordinary body in the request or response.
 */
const ofRequests = new WeakMap<Request, Uint8Array>();
const ofResponses = new WeakMap<Response, string>();

/** Makes a request whose body was read already. Its headers have the length. */
export function requestWithBody(url: URL, init: RequestInit, body: Uint8Array<ArrayBuffer>): Request {
  const request = new Request(url, { ...init, body });
  ofRequests.set(request, body);
  return request;
}

/** The body of a request; `undefined`: read its stream. */
export function bodyOfRequest(request: Request): Uint8Array | undefined {
  return ofRequests.get(request);
}

export function responseWithBody(body: string, headers: Readonly<Record<string, string>>, status = 200): Response {
  const response = new Response(body, { status, headers });
  ofResponses.set(response, body);
  return response;
}

const NO_STORE = { 'cache-control': 'no-store' };

/** A response without a body. */
export function emptyOf(status: 202 | 204): Response {
  return new Response(null, { status, headers: NO_STORE });
}

/**
 * A response with a JSON body. Caches do not store it: one client's 404 does not apply to another
 * (RFC 9110, section 15.1).
 */
export function jsonOf(value: unknown, headers: Readonly<Record<string, string>> = {}, status = 200): Response {
  return responseWithBody(
    JSON.stringify(value),
    { 'content-type': 'application/json', ...NO_STORE, ...headers },
    status,
  );
}

/** The body of a response; `undefined`: read its stream. */
export function bodyOfResponse(response: Response): string | undefined {
  return ofResponses.get(response);
}
