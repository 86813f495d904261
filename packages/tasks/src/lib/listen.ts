import type { Logger } from '@mcp-session/core';
import {
  callable,
  checkOptions,
  errorListenerOptions,
  kindOf,
  positive,
  type OptionNames,
} from '@mcp-session/core/backend';
import { type AuthInfo, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { TaskStore } from './api.ts';
import { declaresTasks, missingExtension } from './extension.ts';
import { openTaskStream, type Subscription } from './listen-stream.ts';
import { reporter } from './report.ts';
import type { Task } from './task.ts';

/** How many tasks one stream may ask for: each is authorized by a read. */
const MAX_TASK_IDS = 100;

/** Options of `serveTaskNotifications`. */
export interface TaskNotificationOptions {
  /**
   * Returns the principal of a request, from its verified token; `null` for an anonymous one: the
   * same as the handler's and as that of `serveTasks`. Required.
   */
  readonly principal: (
    authInfo: AuthInfo | undefined,
    request: Request,
  ) => string | null | undefined | Promise<string | null | undefined>;
  /**
   * How many streams that only listen to tasks this handler may have open. One more gets -32603, as
   * from the SDK. Default: `1_024`.
   */
  readonly maxSubscriptions?: number;
  /**
   * Is called with errors of the store while a stream is open. Default: the errors go to `logger`.
   */
  readonly onError?: (error: unknown) => void;
  /**
   * Gets these errors without `onError`, each cause once a minute, see `createTaskStore`. Default:
   * the console.
   */
  readonly logger?: Logger;
}

/** A handler of the SDK or of `@mcp-session/http`. */
export interface FetchHandler {
  fetch(request: Request, options?: FetchContext): Promise<Response>;
  close(...args: never): Promise<void>;
}

/** What a handler gets with a request. */
export interface FetchContext {
  readonly authInfo?: AuthInfo;
  readonly parsedBody?: unknown;
}

const NAMES: OptionNames<TaskNotificationOptions> = {
  principal: ['user', 'userId', 'getPrincipal'],
  maxSubscriptions: ['maxStreams', 'limit'],
  ...errorListenerOptions,
};

/**
 * Adds `notifications/tasks` to a handler of revision 2026-07-28: a `subscriptions/listen` that
 * names `taskIds` gets the present state of each task and its changes, whichever node it runs on.
 * Give the task store a `bus` for that. Everything else goes to the handler as it is.
 *
 * Only tasks of the request's principal are acknowledged. All others are left out, whether they are
 * unknown, expired or foreign. A request that does not declare the extension gets -32021; `taskIds`
 * that is no array of at most 100 strings gets -32602.
 *
 * @returns The handler, with another `fetch` and `close`.
 * @throws TypeError or RangeError for an option.
 */
export function serveTaskNotifications<Handler extends FetchHandler>(
  handler: Handler,
  tasks: TaskStore,
  options: TaskNotificationOptions,
): Handler {
  checkOptions(options, NAMES, 'serveTaskNotifications');
  const tell = callable('principal', options.principal);
  if (tell === undefined) throw new TypeError('Option principal is missing; return null for anonymous requests');
  const listener = new TaskListener(handler, tasks, {
    tell,
    most: positive('maxSubscriptions', options.maxSubscriptions, 1_024),
    onError: reporter(options),
  });
  return new Proxy(handler, {
    get: (target, name) => {
      if (name === 'fetch') return listener.fetch;
      if (name === 'close') return listener.close;
      return Reflect.get(target, name) as unknown;
    },
  });
}

interface Resolved {
  readonly tell: TaskNotificationOptions['principal'];
  readonly most: number;
  readonly onError: (error: unknown) => void;
}

interface ListenRequest {
  readonly id: string | number;
  readonly params: { readonly _meta?: unknown; readonly notifications: { readonly taskIds?: unknown } };
}

class TaskListener {
  readonly #handler: FetchHandler;
  readonly #tasks: TaskStore;
  readonly #options: Resolved;
  readonly #open = new Set<Subscription>();

  constructor(handler: FetchHandler, tasks: TaskStore, options: Resolved) {
    this.#handler = handler;
    this.#tasks = tasks;
    this.#options = options;
  }

  readonly fetch: FetchHandler['fetch'] = async (request, given) => {
    // Revision 2026-07-28 requires the header, and the SDK compares it with the body.
    if (request.method !== 'POST' || request.headers.get('mcp-method') !== 'subscriptions/listen') {
      return this.#handler.fetch(request, given);
    }
    const copy = given?.parsedBody === undefined ? request.clone() : undefined;
    const response = await this.#handler.fetch(request, given);
    if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
      await copy?.body?.cancel();
      return response;
    }
    // The handler has accepted the request, so its body has the shape of one, and its size is
    // bounded.
    const message = (given?.parsedBody ?? (await copy?.json())) as ListenRequest;
    const { taskIds } = message.params.notifications;
    return taskIds === undefined ? response : this.#listen(request, given, response, message, taskIds);
  };

  readonly close = async (...args: never): Promise<void> => {
    for (const subscription of this.#open) subscription.end();
    await this.#handler.close(...args);
  };

  async #listen(
    request: Request,
    given: FetchContext | undefined,
    response: Response,
    { id, params }: ListenRequest,
    taskIds: unknown,
  ): Promise<Response> {
    const refuse = async (code: number, text: string, data?: unknown): Promise<Response> => {
      await response.body?.cancel();
      return errorResponse(response, { jsonrpc: '2.0', id, error: { code, message: text, data } });
    };
    if (!declaresTasks(params._meta)) {
      const { code, message, data } = missingExtension();
      return refuse(code, message, data);
    }
    if (!isListOfIds(taskIds)) {
      const text = `Invalid params: 'taskIds' is not a list of at most ${MAX_TASK_IDS} strings`;
      return refuse(ProtocolErrorCode.InvalidParams, text);
    }
    if (this.#open.size >= this.#options.most) {
      return refuse(ProtocolErrorCode.InternalError, 'Subscription limit reached');
    }
    const principal = await this.#options.tell(given?.authInfo, request);
    if (principal === undefined && given?.authInfo !== undefined) {
      await response.body?.cancel();
      throw new TypeError(`Option principal of serveTaskNotifications returned ${kindOf(principal)}`);
    }
    const stop = new AbortController();
    const watches = [...new Set(taskIds)].map((taskId) => this.#follow(taskId, principal ?? null, stop.signal));
    try {
      const firsts = await Promise.all(watches.map(async (watch) => watch.next()));
      const found = watches.flatMap((changes, index) => {
        const first = firsts[index];
        return first === undefined || first.done === true ? [] : [{ first: first.value, changes }];
      });
      if (found.length === 0) return response;
      return openTaskStream(response, { id, found, stop, signal: request.signal, open: this.#open });
    } catch (error) {
      stop.abort();
      await Promise.allSettled([response.body?.cancel(), ...watches.map((watch) => watch.return())]);
      throw error;
    }
  }

  /** Watches a task, also while the store fails now and then. */
  async *#follow(taskId: string, principal: string | null, signal: AbortSignal): AsyncGenerator<Task, void, undefined> {
    let isFirst = true;
    for (;;) {
      try {
        for await (const task of this.#tasks.watch(taskId, { principal, signal })) {
          yield task;
          isFirst = false;
        }
        return;
      } catch (error) {
        if (isFirst) throw error;
        this.#options.onError(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      }
    }
  }
}

/** The delay before a task is watched again after the store failed, in milliseconds. */
const RETRY_MS = 1_000;

function isListOfIds(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= MAX_TASK_IDS && value.every((each) => typeof each === 'string');
}

interface ErrorBody {
  readonly jsonrpc: '2.0';
  readonly id: string | number;
  readonly error: { readonly code: number; readonly message: string; readonly data: unknown };
}

/** A JSON-RPC error with the headers for browsers that the stream would have had. */
function errorResponse({ headers }: Response, body: ErrorBody): Response {
  const kept = [...headers].filter(([name]) => name.startsWith('access-control-') || name === 'vary');
  // As the SDK answers: 400 for this code, and 200 for the others.
  const missing: number = ProtocolErrorCode.MissingRequiredClientCapability;
  const status = body.error.code === missing ? 400 : 200;
  return Response.json(body, { status, headers: Object.fromEntries(kept) });
}
