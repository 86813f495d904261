import { kindOf } from '@mcp-session/core/backend';

/**
 * Checks what `fetch` gets. `createServer(studio.fetch)` gives it a request and a response of
 * `node:http`. Nothing else ends that response, so its client would wait forever.
 *
 * @throws TypeError that says what to use instead.
 */
export function checkRequest(request: unknown, connection: unknown): void {
  const { url, headers } = (request ?? {}) as Partial<Request>;
  if (typeof url === 'string' && URL.canParse(url) && typeof headers?.get === 'function') return;
  const response = (connection ?? {}) as { statusCode?: number; end?: () => void };
  if (typeof response.end === 'function') {
    response.statusCode = 500;
    response.end();
  }
  throw new TypeError(
    `Request is ${kindOf(request)}, not a web-standard Request; with node:http or Express, use toNodeListener(studio)`,
  );
}
