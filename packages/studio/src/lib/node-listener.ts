import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { kindOf } from '@mcp-session/core/backend';
import { respond } from './answers.ts';
import type { Studio } from './studio.ts';

/** A listener for `node:http`, and a handler for Express, Connect and the like. */
export type NodeListener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * Serves a studio with `node:http` or Express, and says where each connection comes from. Do not
 * put a body parser before it.
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
    const request = requestOf(incoming, left.signal);
    const { remoteAddress } = incoming.socket;
    const answered =
      request === undefined ? respond(400, 'Malformed request', {}) : await studio.fetch(request, { remoteAddress });
    outgoing.writeHead(answered.status, Object.fromEntries(answered.headers));
    try {
      if (answered.body === null) outgoing.end();
      else await pipeline(Readable.fromWeb(answered.body), outgoing);
    } catch {
      // The client disconnected.
      outgoing.destroy();
    }
  };
}

/** @returns `undefined` if it is malformed: `Request` refuses some methods and URLs. */
function requestOf(
  incoming: IncomingMessage & { readonly originalUrl?: string },
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
    if (method === 'GET' || method === 'HEAD') return new Request(address, init);
    return new Request(address, { ...init, body: Readable.toWeb(incoming), duplex: 'half' });
  } catch {
    return undefined;
  }
}
