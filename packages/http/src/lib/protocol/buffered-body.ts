/**
 * Bodies that are at hand whole, so that nobody has to read them through a web stream: the bridge to `node:http` and the handler
 * tell each other. Whatever else looks at the request or the response finds a body as any other.
 */
const ofRequests = new WeakMap<Request, Uint8Array>();
const ofResponses = new WeakMap<Response, string>();

/** A request whose body was read already. Its headers tell the length of it. */
export function requestWithBody(url: URL, init: RequestInit, body: Uint8Array<ArrayBuffer>): Request {
  const request = new Request(url, { ...init, body });
  ofRequests.set(request, body);
  return request;
}

/** The body of a request; `undefined`: it is to be read from its stream. */
export function bodyOfRequest(request: Request): Uint8Array | undefined {
  return ofRequests.get(request);
}

export function responseWithBody(body: string, headers: Readonly<Record<string, string>>, status = 200): Response {
  const response = new Response(body, { status, headers });
  ofResponses.set(response, body);
  return response;
}

const NO_STORE = { 'cache-control': 'no-store' };

/** An answer without a body. */
export function emptyOf(status: 202 | 204): Response {
  return new Response(null, { status, headers: NO_STORE });
}

/** An answer with a body that is no stream. No cache on the way keeps it: one client's 404 is nothing to the next (RFC 9110, section 15.1). */
export function jsonOf(value: unknown, headers: Readonly<Record<string, string>> = {}, status = 200): Response {
  return responseWithBody(
    JSON.stringify(value),
    { 'content-type': 'application/json', ...NO_STORE, ...headers },
    status,
  );
}

/** The body of a response; `undefined`: it is to be read from its stream. */
export function bodyOfResponse(response: Response): string | undefined {
  return ofResponses.get(response);
}
