import type { JsonValue, SessionStore } from '@mcp-session/core';
import { checkOptions, kindOf, positive, type OptionNames } from '@mcp-session/core/backend';
import type { TaskStore as V1TaskStore } from '@modelcontextprotocol/sdk/experimental/tasks';
import type { RequestHandlerExtra, RequestOptions } from '@modelcontextprotocol/sdk/shared/protocol.js';
import {
  GetTaskPayloadRequestSchema,
  RELATED_TASK_META_KEY,
  type Result,
  ResultSchema,
  type ServerCapabilities,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js';
import type { TaskStore } from './api.ts';
import { checkStore, checkTasks, checkV1Server } from './checks.ts';
import { refuseMalformed } from './malformed-v1.ts';
import { isFinal, TASK_KIND } from './record.ts';
import { TasksV1 } from './store-v1.ts';
import { resultOf, unknownV1Task } from './task-v1.ts';

/**
 * An `McpServer` of SDK v1. By structure and not by class: to TypeScript, the class that a CommonJS
 * project imports is a different one.
 */
export interface V1TaskServer {
  readonly server: { setRequestHandler(...args: never): void; request(...args: never): Promise<unknown> };
}

/** Options of `createV1Tasks`. */
export interface V1TasksOptions {
  /**
   * The principal of the session that the server serves; `null` for an anonymous one. It is the
   * user, and not the OAuth client. Required.
   */
  readonly principal: string | null;
  /**
   * The longest `ttl` that a task gets here, in milliseconds: a client may ask for any time, and
   * `null` means forever. A longer one is made shorter, and the client sees the real one. `null`:
   * no bound. Default: 24 hours (`86_400_000`).
   */
  readonly maxTtlMs?: number | null;
}

/** The tasks of one server of SDK v1. */
export interface V1Tasks {
  /**
   * Options for `new McpServer(info, options)`: the task store, and the capability `tasks`. A
   * session without a principal has no `tasks/list`.
   */
  readonly options: {
    readonly taskStore: V1TaskStore;
    readonly capabilities: Pick<ServerCapabilities, 'tasks'>;
  };

  /**
   * Makes `tasks/result` ask the client what the task's worker needs, whichever node that runs on,
   * and answers malformed parameters of tasks with -32602. Call it before the server is connected.
   *
   * @throws TypeError if the server is no `McpServer` of SDK v1 that was made with {@link options}.
   */
  serve(server: V1TaskServer): void;
}

type Extra = Pick<RequestHandlerExtra<ServerRequest, ServerNotification>, 'signal' | 'requestId'>;

type ResultHandler = (request: { readonly params: { readonly taskId: string } }, extra: Extra) => Promise<object>;

interface Low {
  setRequestHandler(schema: typeof GetTaskPayloadRequestSchema, handler: ResultHandler): void;
  request(
    request: { readonly method: string; readonly params: object },
    schema: typeof ResultSchema,
    options: RequestOptions,
  ): Promise<Result>;
}

/** Asks the client, until the signal. @returns Its answer. */
type Ask = (request: JsonValue, signal: AbortSignal) => Promise<JsonValue>;

const NAMES: OptionNames<V1TasksOptions> = {
  principal: ['user', 'userId', 'owner'],
  maxTtlMs: ['maxTtl', 'ttlMs', 'ttl'],
};
/** A question waits as long as the task. The longest delay of a timer of Node. */
const NO_TIMEOUT_MS = 2_147_483_647;

/**
 * Shows the tasks of a task store as the experimental tasks of SDK v1 (revision 2025-11-25): the
 * same stored tasks as {@link serveTasks} of `@mcp-session/tasks/v2`, with `ttl`, `pollInterval`,
 * `tasks/result` and `tasks/list`. Make one for each server, which is one for each session.
 *
 * In a tool, `extra.taskStore.createTask({ ttl, pollInterval, context: { runner, context } })`
 * creates a task; its `context` takes `runner`, `context` and `onInterrupted` of
 * `TaskStore.create`.
 *
 * @throws TypeError or RangeError for an option; TypeError if the first two are no session store
 * and no task store.
 */
export function createV1Tasks(store: Pick<SessionStore, 'ofKind'>, tasks: TaskStore, options: V1TasksOptions): V1Tasks {
  checkStore(store, 'createV1Tasks');
  checkTasks(tasks, 'createV1Tasks');
  checkOptions(options, NAMES, 'createV1Tasks');
  const { principal } = options;
  if (principal !== null && (typeof principal !== 'string' || principal === '')) {
    const given = principal === '' ? 'empty' : kindOf(principal);
    throw new TypeError(`Option principal is ${given}; give a string, or null for an anonymous session`);
  }
  const maxTtlMs = options.maxTtlMs === null ? Infinity : positive('maxTtlMs', options.maxTtlMs, 86_400_000);
  const taskStore = new TasksV1(store.ofKind(TASK_KIND), tasks, { principal, maxTtlMs });
  return {
    options: {
      taskStore,
      capabilities: {
        tasks: { cancel: {}, requests: { tools: { call: {} } }, ...(principal !== null && { list: {} }) },
      },
    },
    serve: (server) => {
      checkV1Server(server, 'serve');
      const low = server.server as unknown as Low;
      setResultHandler(low, async ({ params: { taskId } }, extra) => {
        const ask: Ask = async (request, signal) => answerOf({ server: low, taskId, request, extra, signal });
        const result = await followedResult(taskStore, taskId, { signal: extra.signal, ask });
        const meta = result['_meta'] as Record<string, unknown> | undefined;
        return { ...result, _meta: { ...meta, [RELATED_TASK_META_KEY]: { taskId } } };
      });
      refuseMalformed(low);
    },
  };
}

/** @throws TypeError if the server does not declare tasks. */
function setResultHandler(server: Low, handler: ResultHandler): void {
  try {
    server.setRequestHandler(GetTaskPayloadRequestSchema, handler);
  } catch (cause) {
    throw new TypeError('Server of serve has no tasks; make it with the options of createV1Tasks', { cause });
  }
}

/**
 * Waits for the end of a task, and asks the client what its worker needs meanwhile. It reads the
 * task again when it has changed, as `TaskStore.watch` does.
 */
async function followedResult(
  tasks: TasksV1,
  taskId: string,
  { signal, ask }: { readonly signal: AbortSignal; readonly ask: Ask },
): Promise<Record<string, unknown>> {
  const asked = new Set<string>();
  const stop = new AbortController();
  const over = AbortSignal.any([signal, stop.signal]);
  let refused: { readonly error: unknown } | undefined;
  const pass = async (key: string, request: JsonValue): Promise<void> => {
    try {
      await tasks.answer(taskId, key, await ask(request, over));
    } catch (error) {
      refused = { error };
      stop.abort();
    }
  };
  try {
    for await (const task of tasks.watch(taskId, over)) {
      if (isFinal(task)) return resultOf(task);
      for (const [key, request] of Object.entries(task.inputRequests ?? {})) {
        if (asked.has(key)) continue;
        asked.add(key);
        void pass(key, request);
      }
    }
  } finally {
    // What was asked ends with the request that asks.
    stop.abort();
  }
  signal.throwIfAborted();
  if (refused !== undefined) throw refused.error;
  throw unknownV1Task();
}

interface Question {
  readonly server: Low;
  readonly taskId: string;
  readonly request: JsonValue;
  readonly extra: Pick<Extra, 'requestId'>;
  readonly signal: AbortSignal;
}

/**
 * Asks the client on the stream of the request that waits for the result. Not by
 * `extra.sendRequest`: SDK v1 takes the task from the `_meta` of the request there, which a
 * receiver must ignore (2025-11-25, basic/utilities/tasks, "Associating Task-Related Messages").
 */
async function answerOf({ server, taskId, request, extra, signal }: Question): Promise<JsonValue> {
  const { method, params } = request as { readonly method: string; readonly params?: Record<string, unknown> };
  const meta = params?.['_meta'] as Record<string, unknown> | undefined;
  const related = { ...params, _meta: { ...meta, [RELATED_TASK_META_KEY]: { taskId } } };
  const { _meta, ...answer } = await server.request({ method, params: related }, ResultSchema, {
    relatedRequestId: extra.requestId,
    timeout: NO_TIMEOUT_MS,
    signal,
  });
  return answer as JsonValue;
}
