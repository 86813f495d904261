import { SessionError } from '@mcp-session/core';
import { callable, checkOptions, type OptionNames } from '@mcp-session/core/backend';
import { type McpServer, ProtocolError, ProtocolErrorCode, type ServerContext } from '@modelcontextprotocol/server';
import { checkTasks, checkV2Server } from './checks.ts';
import { declaresTasks, missingExtension, TASKS_EXTENSION } from './extension.ts';
import { taskParams, updateParams } from './params.ts';
import { checkPrincipal } from './principal.ts';
import { refusalsOf } from './refusals.ts';
import { reportsOf } from './report.ts';
import { TaskError } from './task-error.ts';
import type { InputResponses, WorkingTask } from './task.ts';
import { toV2 } from './task-v2.ts';
import type { CreateTaskOptions, TaskStore } from './api.ts';

/**
 * An `McpServer` of SDK v2. By structure and not by class: to TypeScript, the class that a CommonJS
 * project imports is a different one.
 */
export interface TaskServer {
  readonly server: {
    registerCapabilities(capabilities: { readonly extensions?: Record<string, Record<string, never>> }): void;
    setRequestHandler(...args: never): void;
    assertCanSetRequestHandler(...args: never): void;
  };
}

/** Options of `serveTasks`. */
export interface ServeTasksOptions {
  /**
   * Returns the principal of a request, from its verified token; `null` for an anonymous one. It is
   * the user, and not the OAuth client, which all users of an application share. If it throws, or
   * returns anything else, or `null` for a request with `authInfo`, the request gets -32603, and
   * the error goes to `onError` of the task store. A `ProtocolError` that it throws is the answer
   * instead. Required.
   */
  readonly principal: (context: ServerContext) => string | null | undefined | Promise<string | null | undefined>;
}

/** The result of a request that became a task. */
export interface CreateTaskResult extends WorkingTask {
  // The results of the SDK may have properties that they do not name.
  readonly [name: string]: unknown;
  readonly resultType: 'task';
  /** Empty. To the SDK, the result of a tool has content. */
  content: never[];
}

/** Tasks for the tools of a server. */
export interface ServedTasks {
  /** Whether the request declares the extension. Only such a request may be answered by a task. */
  supports(context: ServerContext): boolean;

  /**
   * Creates a task of the request's principal. Return it from the tool.
   *
   * @throws ProtocolError -32021 if the request does not declare the extension: ask
   * {@link supports} first where the tool can answer without a task; -32603 if the option
   * `principal` fails. Also the errors of `TaskStore.create`.
   */
  create(context: ServerContext, options?: Omit<CreateTaskOptions, 'principal'>): Promise<CreateTaskResult>;
}

const INTERNAL_ERROR: number = ProtocolErrorCode.InternalError;
const INVALID_PARAMS: number = ProtocolErrorCode.InvalidParams;

const NAMES: OptionNames<ServeTasksOptions> = { principal: ['user', 'userId', 'getPrincipal'] };

/**
 * Serves `tasks/get`, `tasks/update` and `tasks/cancel` of the extension
 * `io.modelcontextprotocol/tasks` (SEP-2663) on a server of SDK v2, and advertises it. It works in
 * revision 2026-07-28; older revisions have other tasks.
 *
 * An id that is unknown, malformed, expired or another principal's is answered with -32602, in the
 * same words.
 *
 * @throws TypeError for an option, for a server that has tasks already, or if the first two are no
 * `McpServer` of SDK v2 and no task store.
 */
export function serveTasks(server: TaskServer, tasks: TaskStore, options: ServeTasksOptions): ServedTasks {
  checkV2Server(server, 'serveTasks');
  checkTasks(tasks, 'serveTasks');
  checkOptions(options, NAMES, 'serveTasks');
  const tell = callable('principal', options.principal);
  if (tell === undefined) throw new TypeError('Option principal is missing; return null for anonymous requests');
  checkUnserved(server);
  const refusals = refusalsOf(server.server);
  const report = reportsOf(tasks);
  const reported = (error: unknown): never => {
    if (error instanceof ProtocolError) throw error;
    report(error);
    // An application's error may name its database. Those of a session store do not.
    throw error instanceof SessionError ? error : new ProtocolError(INTERNAL_ERROR, 'Internal server error');
  };
  const accessOf = async (context: ServerContext): Promise<{ readonly principal: string | null }> => {
    if (!supports(context)) throw refusals.refuse(context, missingExtension());
    try {
      const authInfo: unknown = context.http?.authInfo;
      return { principal: checkPrincipal(await tell(context), { authInfo, where: 'serveTasks' }) };
    } catch (error) {
      return reported(error);
    }
  };
  const low = server.server as McpServer['server'];
  low.registerCapabilities({ extensions: { [TASKS_EXTENSION]: {} } });
  low.setRequestHandler('tasks/get', { params: taskParams }, async ({ taskId }, context) => {
    const task = await tasks.get(taskId, await accessOf(context)).catch(reported);
    if (task === undefined) throw unknownTask();
    return { ...toV2(task), resultType: 'complete' };
  });
  low.setRequestHandler('tasks/update', { params: updateParams }, async ({ taskId, inputResponses }, context) => {
    const access = await accessOf(context);
    const answers = answersOf(inputResponses, context);
    const isFound = await tasks.update(taskId, answers, access).catch(refused).catch(reported);
    if (!isFound) throw unknownTask();
    return { resultType: 'complete' };
  });
  low.setRequestHandler('tasks/cancel', { params: taskParams }, async ({ taskId }, context) => {
    if (!(await tasks.cancel(taskId, await accessOf(context)).catch(reported))) throw unknownTask();
    return { resultType: 'complete' };
  });
  return {
    supports,
    create: async (context, given) => {
      const { principal } = await accessOf(context);
      return { ...(await tasks.create({ ...given, principal })), resultType: 'task', content: [] };
    },
  };
}

/** @throws TypeError */
function checkUnserved(server: TaskServer): void {
  try {
    (server.server as McpServer['server']).assertCanSetRequestHandler('tasks/get');
  } catch (cause) {
    throw new TypeError('The server has tasks already; call serveTasks once for each server', { cause });
  }
}

function supports({ mcpReq }: ServerContext): boolean {
  return declaresTasks(mcpReq.envelope);
}

/** @throws ProtocolError for answers that are missing, or of which the SDK has dropped some. */
function answersOf(given: InputResponses | undefined, { mcpReq }: ServerContext): InputResponses {
  const answers = given ?? mcpReq.inputResponses;
  const { droppedInputResponseKeys: dropped = [] } = mcpReq;
  if (answers === undefined) throw new ProtocolError(INVALID_PARAMS, 'Parameter inputResponses is missing');
  if (dropped.length === 0) return answers;
  throw new ProtocolError(
    INVALID_PARAMS,
    'Parameter inputResponses has an entry that is not the result of its request',
  );
}

function refused(error: unknown): never {
  if (!(error instanceof TaskError) || error.code !== 'INPUT_REFUSED') throw error;
  throw new ProtocolError(INVALID_PARAMS, error.message);
}

function unknownTask(): ProtocolError {
  return new ProtocolError(INVALID_PARAMS, 'Task not found');
}
