import { failure, json, respond, StudioError } from './answers.ts';
import { operationOf } from './api.ts';
import { assetOf } from './assets.ts';
import { readArguments } from './body.ts';
import { checkLoopback, checkOrigin } from './guard.ts';
import { checkRequest } from './request-check.ts';
import { resolveOptions, type ResolvedOptions, type StudioAction, type StudioOptions } from './options.ts';

const NOTHING_HERE = 'There is nothing here; if the studio is mounted at another path, set its option basePath to it';

/** What the server knows of the connection that a request came over. */
export interface StudioConnection {
  /** The address of the other side, such as `127.0.0.1`. Default: unknown. */
  readonly remoteAddress?: string | undefined;
}

/** A page that looks into a store, with its API. */
export interface Studio {
  /**
   * Answers a request. Never rejects: if the store fails, or `request` is no web-standard
   * `Request`, the response is 500 or 503, and `onError` gets the reason.
   *
   * @param connection Needed unless the studio has an `authorize`. `toNodeListener` gives it; on
   * Bun it is `{ remoteAddress: server.requestIP(request)?.address }`.
   */
  fetch(this: void, request: Request, connection?: StudioConnection): Promise<Response>;
}

/**
 * Makes a page that looks into a store: sessions, their state, and their log, live.
 *
 * @example
 * ```ts
 * import { createMemoryStore } from '@mcp-session/core/memory';
 * import { createStudio } from '@mcp-session/studio';
 *
 * const store = await createMemoryStore();
 * const studio = createStudio({ store, authorize: (request) => request.headers.get('x-role') === 'operator' });
 * const page = await studio.fetch(new Request('https://admin.example.com/', { headers: { 'x-role': 'operator' } }));
 * console.log(page.status); // 200
 * await store.close();
 * ```
 *
 * @throws TypeError or RangeError for an option.
 */
export function createStudio(options: StudioOptions): Studio {
  const resolved = resolveOptions(options);
  return {
    fetch: async (request, connection = {}) => {
      try {
        checkRequest(request, connection);
        return await answer(request, connection, resolved);
      } catch (error) {
        return failure(error, resolved.onError);
      }
    },
  };
}

async function answer(
  request: Request,
  { remoteAddress }: StudioConnection,
  options: ResolvedOptions,
): Promise<Response> {
  const { pathname } = new URL(request.url);
  const { basePath, authorize } = options;
  const guard = async (action: StudioAction): Promise<Response | undefined> => {
    if (authorize === undefined) checkLoopback(request, remoteAddress);
    const allowed: unknown = authorize === undefined || (await authorize(request, action));
    if (allowed instanceof Response) return allowed;
    if (allowed !== true) throw new StudioError(403, 'FORBIDDEN', 'Refused: authorize says no');
    return undefined;
  };
  if (`${pathname}/` === basePath) return respond(308, null, { location: basePath });
  if (!pathname.startsWith(basePath)) throw new StudioError(404, 'NOT_FOUND', NOTHING_HERE);
  const path = pathname.slice(basePath.length);
  if (path.startsWith('api/')) return operate(request, path.slice('api/'.length), guard, options);
  if (request.method !== 'GET' && request.method !== 'HEAD') return wrongMethod('GET, HEAD');
  return (
    (await guard('page')) ??
    (await assetOf(path, request.method)) ??
    json({ error: { code: 'NOT_FOUND', message: NOTHING_HERE } }, 404)
  );
}

async function operate(
  request: Request,
  name: string,
  guard: (action: StudioAction) => Promise<Response | undefined>,
  options: ResolvedOptions,
): Promise<Response> {
  if (request.method !== 'POST') return wrongMethod('POST');
  checkOrigin(request);
  const { action, run } = operationOf(name);
  const refused = await guard(action);
  if (refused !== undefined) return refused;
  const result = await run({ options, args: await readArguments(request), signal: request.signal });
  return result instanceof Response ? result : json(result);
}

function wrongMethod(allow: string): Response {
  return respond(405, JSON.stringify({ error: { code: 'WRONG_METHOD', message: `Use ${allow}` } }), {
    allow,
    'content-type': 'application/json; charset=utf-8',
  });
}
