import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { kindOf } from '@mcp-session/core/backend';
import { failure, respond, StudioError } from './answers.ts';
import { IncomingBody } from './incoming-body.ts';
import type { Studio } from './studio.ts';

/** A listener for `node:http`, and a handler for Express, Connect and the like. Never rejects. */
export type NodeListener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * Serves a studio with `node:http` or Express, and says where each connection comes from. Do not
 * put a body parser before it.
 *
 * The connection of a refused request stays usable, because the body of each request is read to its
 * end. A body of more than 4 MiB is answered with 413, and one that does not arrive within 10
 * seconds with 408. Both responses close the connection.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 * import { createMemoryStore } from '@mcp-session/core/memory';
 * import { createStudio } from '@mcp-session/studio';
 * import { toNodeListener } from '@mcp-session/studio/node';
 *
 * const store = await createMemoryStore();
 * const server = createServer(toNodeListener(createStudio({ store }))).listen(0, '127.0.0.1');
 * server.close();
 * await store.close();
 * ```
 *
 * @throws TypeError for a value that is no studio.
 */
export function toNodeListener(studio: Studio): NodeListener {
  if (typeof (studio as Partial<Studio> | undefined)?.fetch !== 'function') {
    throw new TypeError(`Studio is ${kindOf(studio)}, not what createStudio gives`);
  }
  return async (incoming, outgoing) => {
    const left = new AbortController();
    outgoing.once('close', () => left.abort());
    const body = new IncomingBody(incoming);
    try {
      const request = requestOf(incoming, await body.arrival(), left.signal);
      const { remoteAddress } = incoming.socket;
      const answered =
        request === undefined ? respond(400, 'Malformed request', {}) : await studio.fetch(request, { remoteAddress });
      // A list, since there can be several Set-Cookie.
      outgoing.writeHead(answered.status, [...answered.headers].flat());
      if (answered.body === null) outgoing.end();
      else await pipeline(Readable.fromWeb(answered.body), outgoing);
    } catch (error) {
      if (error instanceof StudioError) await refuse(error, body, incoming, outgoing).catch(() => outgoing.destroy());
      // The client disconnected.
      else outgoing.destroy();
    }
  };
}

/** Responds to a request whose body does not end in time, and closes its connection. */
async function refuse(
  error: StudioError,
  body: IncomingBody,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const refusal = failure(error, () => undefined);
  const text = await refusal.text();
  // HTTP/2 has no such header; it ends each stream by itself.
  const connection = incoming.httpVersionMajor === 1 ? { connection: 'close' } : {};
  // With its length, the client has the response before the connection ends.
  const headers = { ...Object.fromEntries(refusal.headers), ...connection };
  outgoing.writeHead(refusal.status, { ...headers, 'content-length': Buffer.byteLength(text) });
  outgoing.write(text);
  await body.linger();
  outgoing.end(() => outgoing.destroy());
}

/** @returns `undefined` if it is malformed: `Request` refuses some methods and URLs. */
function requestOf(
  incoming: IncomingMessage & { readonly originalUrl?: string },
  body: Buffer<ArrayBuffer>,
  signal: AbortSignal,
): Request | undefined {
  const { method = 'GET', headers, originalUrl, url = '/' } = incoming;
  try {
    const target = originalUrl ?? url;
    const address = new URL(target.startsWith('/') ? `http://${headers.host ?? 'localhost'}${target}` : target);
    const given = Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || name.startsWith(':') ? [] : [[name, [value].flat().join(', ')] as [string, string]],
    );
    const init = { method, headers: given, signal };
    return new Request(address, method === 'GET' || method === 'HEAD' ? init : { ...init, body });
  } catch {
    return undefined;
  }
}
