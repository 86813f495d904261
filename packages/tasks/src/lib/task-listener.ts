import { endsListeners, listenersEnded } from '@mcp-session/core/transport';
import type { AuthInfo } from '@modelcontextprotocol/server';
import type { TaskStore } from './api.ts';
import { changesOf, type TaskBus } from './changes.ts';
import { declaresTasks } from './extension.ts';
import type { FetchHandler, ResolvedListenOptions } from './listen-options.ts';
import { faultOf, invalidParams, ListenRefusal, undeclared } from './listen-refusal.ts';
import { type FoundTask, openTaskStream, type Subscription } from './listen-stream.ts';
import { OpenStreams } from './open-streams.ts';
import { checkPrincipal } from './principal.ts';
import { isClosedStore } from './report.ts';
import type { Task } from './task.ts';

/** How many tasks one stream may ask for: each is authorized by a read. */
const MAX_TASK_IDS = 100;

/** The delay before a task is watched again after the store failed, in milliseconds. */
const RETRY_MS = 1_000;

interface ListenRequest {
  readonly id: string | number;
  readonly params: { readonly _meta?: unknown; readonly notifications: { readonly taskIds?: unknown } };
}

/** A request that the handler has accepted, and its stream. */
interface Accepted {
  readonly request: Request;
  readonly authInfo: AuthInfo | undefined;
  readonly message: ListenRequest;
  readonly response: Response;
}

/** Whose sessions to end: `EndAllOptions` of `@mcp-session/http`. */
interface EndAllOptions {
  readonly principal: string | null;
}

/** A handler that has sessions. */
interface EndingHandler extends FetchHandler {
  endAll(options: EndAllOptions): Promise<number>;
}

/** A handler with tasks on its `subscriptions/listen`. */
export class TaskListener {
  readonly #handler: FetchHandler;
  readonly #tasks: TaskStore;
  readonly #options: ResolvedListenOptions;
  readonly #bus: TaskBus | undefined;
  readonly #streams: OpenStreams;
  /** The streams that only listen to tasks. The handler ends the others. */
  readonly #open = new Set<Subscription>();

  constructor(handler: FetchHandler, tasks: TaskStore, options: ResolvedListenOptions) {
    this.#handler = handler;
    this.#tasks = tasks;
    this.#options = options;
    this.#bus = changesOf.get(tasks)?.bus;
    this.#streams = new OpenStreams(options);
  }

  readonly fetch: FetchHandler['fetch'] = async (request, given) => {
    // Revision 2026-07-28 requires the header, and the SDK compares it with the body.
    if (request.method !== 'POST' || request.headers.get('mcp-method') !== 'subscriptions/listen') {
      return this.#handler.fetch(request, given);
    }
    const copy = isReadable(request) && given?.parsedBody === undefined ? request.clone() : undefined;
    const response = await this.#handler.fetch(request, given);
    if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
      // Not awaited: a handler that refuses the request by its headers never reads its half.
      copy?.body?.cancel().catch(() => undefined);
      return response;
    }
    let id: ListenRequest['id'] | null = null;
    try {
      // The handler has accepted the request, so its body has the shape of one, and its size is
      // bounded.
      const message: unknown = given?.parsedBody ?? (await copy?.json());
      // A request of a session may have the header too, where it means nothing.
      if (!isListenRequest(message)) return response;
      id = message.id;
      return await this.#listen({ request, authInfo: given?.authInfo, message, response });
    } catch (error) {
      await response.body?.cancel().catch(() => undefined);
      return this.#refusalFor(error).toResponse(id, response);
    }
  };

  readonly close = async (...args: never): Promise<void> => {
    for (const subscription of this.#open) subscription.end();
    await this.#handler.close(...args);
  };

  /** Ends the sessions of a principal, and its streams on all nodes that share the bus. */
  readonly endAll = async (options: EndAllOptions): Promise<number> => {
    try {
      return await (this.#handler as EndingHandler).endAll(options);
    } finally {
      // Also if the store fails. Without a principal, the handler has refused the options.
      const { principal } = (options ?? {}) as Partial<EndAllOptions>;
      if (principal !== undefined) await this.#endStreams(principal);
    }
  };

  async #endStreams(principal: string | null): Promise<void> {
    this.#streams.endAll(principal);
    this.#bus?.publish(listenersEnded(principal));
    await this.#bus?.settled?.();
  }

  /** @throws ListenRefusal */
  async #listen({ request, authInfo, message: { id, params }, response }: Accepted): Promise<Response> {
    const { taskIds } = params.notifications;
    if (taskIds === undefined) return response;
    if (!declaresTasks(params._meta)) throw undeclared();
    if (!isListOfIds(taskIds)) throw invalidParams(`'taskIds' is not a list of at most ${MAX_TASK_IDS} strings`);
    const principal = await this.#principalOf(request, authInfo);
    const stream = this.#streams.enter({ principal, expiresAt: authInfo?.expiresAt });
    let unsubscribe: (() => void) | undefined;
    const onClosed = (): void => {
      unsubscribe?.();
      stream.leave();
    };
    try {
      unsubscribe = this.#bus?.subscribe((event) => {
        if (endsListeners(event, principal)) this.#streams.endAll(principal);
      });
      const found = await this.#find(taskIds, principal, stream.signal);
      if (found.length > 0) {
        const signal = AbortSignal.any([request.signal, stream.signal]);
        return openTaskStream(response, { id, found, signal, open: this.#open, onClosed });
      }
    } catch (error) {
      onClosed();
      throw error;
    }
    onClosed();
    return response;
  }

  async #principalOf(request: Request, authInfo: AuthInfo | undefined): Promise<string | null> {
    const principal = await this.#options.tell(authInfo, request);
    const isAnonymous = principal === undefined && authInfo === undefined;
    return isAnonymous ? null : checkPrincipal(principal, { authInfo, where: 'serveTaskNotifications' });
  }

  /** The tasks of the principal among the ids, each read once. */
  async #find(taskIds: readonly string[], principal: string | null, signal: AbortSignal): Promise<FoundTask[]> {
    const watches = [...new Set(taskIds)].map((taskId) => this.#follow(taskId, principal, signal));
    try {
      const firsts = await Promise.all(watches.map(async (watch) => watch.next()));
      return watches.flatMap((changes, index) => {
        const first = firsts[index];
        return first === undefined || first.done === true ? [] : [{ first: first.value, changes }];
      });
    } catch (error) {
      await Promise.allSettled(watches.map((watch) => watch.return()));
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
        if (isFirst || isClosedStore(error)) throw error;
        this.#options.onError(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      }
    }
  }

  /** Reports what is not the client's fault. */
  #refusalFor(error: unknown): ListenRefusal {
    if (error instanceof ListenRefusal) return error;
    this.#options.onError(error);
    return faultOf(error);
  }
}

/** A body that was read in front of the handler cannot be copied. The handler answers that. */
function isReadable({ body, bodyUsed }: Request): boolean {
  return !bodyUsed && body?.locked !== true;
}

function isListenRequest(message: unknown): message is ListenRequest {
  const { method, params } = (message ?? {}) as {
    readonly method?: unknown;
    readonly params?: { notifications?: unknown };
  };
  return (
    method === 'subscriptions/listen' && typeof params?.notifications === 'object' && params.notifications !== null
  );
}

function isListOfIds(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= MAX_TASK_IDS && value.every((each) => typeof each === 'string');
}
