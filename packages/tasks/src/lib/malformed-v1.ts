import { rpcError } from './task-v1.ts';

/** The requests that carry what belongs to a task. */
const METHODS = ['tasks/get', 'tasks/result', 'tasks/list', 'tasks/cancel', 'tools/call'];

type Handler = (request: unknown, extra: unknown) => Promise<object>;

interface Low {
  setRequestHandler(...given: unknown[]): void;
  /** What the server has registered. The SDK declares it as private. */
  readonly _requestHandlers?: Map<string, Handler>;
}

/**
 * Answers parameters that do not fit their schema with -32602. SDK v1 answers -32603, because the
 * error of its validator has no code, and a hostile client could fill a log of internal errors.
 */
export function refuseMalformed(server: object): void {
  const low = server as Low;
  const wrapped = new WeakSet<Handler>();
  const wrapAll = (): void => {
    for (const method of METHODS) {
      const handler = low._requestHandlers?.get(method);
      if (handler === undefined || wrapped.has(handler)) continue;
      const strict: Handler = async (request, extra) => {
        try {
          return await handler(request, extra);
        } catch (error) {
          throw isMalformed(error) ? rpcError(-32_602, `Invalid params: ${faultOf(error)}`) : error;
        }
      };
      wrapped.add(strict);
      low._requestHandlers?.set(method, strict);
    }
  };
  wrapAll();
  // The server sets its handler of `tools/call` when the first tool is registered.
  const register = low.setRequestHandler.bind(low);
  low.setRequestHandler = (...given) => {
    register(...given);
    wrapAll();
  };
}

/** The error of a validator. */
interface Malformed {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

function isMalformed(error: unknown): error is Malformed {
  if (!(error instanceof Error) || Number.isSafeInteger((error as { readonly code?: unknown }).code)) return false;
  return Array.isArray((error as Partial<Malformed>).issues);
}

function faultOf({ issues: [first] }: Malformed): string {
  return first === undefined ? 'they do not fit' : `${first.path.map(String).join('.')}: ${first.message}`;
}
