import { kindOf } from '@mcp-session/core/backend';

// By structure and not by class: what a CommonJS project makes is of another class.

/** @throws TypeError if the value is no session store, such as the promise of one. */
export function checkStore(store: unknown, where: string): void {
  if (!has(store, 'ofKind')) throw mistaken(`Store of ${where}`, store, 'a session store');
}

/** @throws TypeError if the value is no task store. */
export function checkTasks(tasks: unknown, where: string): void {
  if (has(tasks, 'get', 'watch', 'update', 'cancel')) return;
  throw mistaken(`Task store of ${where}`, tasks, 'a task store, such as createTaskStore makes');
}

/** @throws TypeError if the value is no handler. */
export function checkHandler(handler: unknown, where: string): void {
  if (has(handler, 'fetch', 'close')) return;
  throw mistaken(`Handler of ${where}`, handler, 'a handler, such as createDualEraHandler makes');
}

const V1 = '@modelcontextprotocol/sdk';
const V2 = '@modelcontextprotocol/server';

/** @throws TypeError if the value is no `McpServer` of SDK v1. */
export function checkV1Server(server: unknown, where: string): void {
  const low = lowOf(server, where, V1);
  // A public method of SDK v2 alone.
  if (has(low, 'getNegotiatedProtocolVersion')) throw otherLine(where, V2, V1);
  if (!has(low, 'setRequestHandler', 'request')) throw mistaken(`Server of ${where}`, server, `an McpServer of ${V1}`);
}

/** @throws TypeError if the value is no `McpServer` of SDK v2. */
export function checkV2Server(server: unknown, where: string): void {
  const low = lowOf(server, where, V2);
  // A public method of SDK v1 alone, where it is deprecated.
  if (has(server, 'tool')) throw otherLine(where, V1, V2);
  if (has(low, 'setRequestHandler', 'registerCapabilities', 'assertCanSetRequestHandler')) return;
  throw mistaken(`Server of ${where}`, server, `an McpServer of ${V2}`);
}

/** @returns The `Server` inside an `McpServer`. */
function lowOf(server: unknown, where: string, sdk: string): unknown {
  if (has(server, 'setRequestHandler')) {
    throw new TypeError(`Server of ${where} is a Server, not an McpServer of ${sdk}; give the McpServer that has it`);
  }
  return (server as { readonly server?: unknown } | null | undefined)?.server;
}

function otherLine(where: string, given: string, wanted: string): TypeError {
  return new TypeError(`Server of ${where} is an McpServer of ${given}; give one of ${wanted}`);
}

function has(value: unknown, ...methods: readonly string[]): boolean {
  const given = (value ?? {}) as Readonly<Record<string, unknown>>;
  return methods.every((name) => typeof given[name] === 'function');
}

function mistaken(what: string, value: unknown, wanted: string): TypeError {
  const kind = kindOf(value);
  return new TypeError(`${what} is ${kind}, not ${wanted}${kind === 'a promise' ? '; await it first' : ''}`);
}
