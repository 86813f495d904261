import type { SessionStore } from '@mcp-session/core';
import { createMemoryStore } from '@mcp-session/core/memory';
import { createDualEraHandler, defaultPrincipal } from '@mcp-session/http/v2';
import { type AuthInfo, createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { onTestFinished } from 'vitest';
import { createTaskStore, type TaskStore } from '../../src/index.ts';
import { type FetchHandler, serveTaskNotifications, type TaskNotificationOptions } from '../../src/v2.ts';
import { type Answer, messagesOf, modernRequest } from './request.ts';

/** A handler of either package. */
interface Handler extends FetchHandler {
  close(): Promise<void>;
}

/** Makes the handler that is wrapped. */
type HandlerMaker = (store: SessionStore) => Handler;

const createServer = (): McpServer =>
  new McpServer({ name: 'reports', version: '1.0.0' }, { capabilities: { tools: { listChanged: true } } });

/** Every handler of revision 2026-07-28. Without `onError`, they report to nothing. */
export const handlers: readonly (readonly [name: string, make: HandlerMaker])[] = [
  [
    'createDualEraHandler',
    (store) =>
      createDualEraHandler({ store, createServer, createStatelessServer: createServer, onError: () => undefined }),
  ],
  ['createMcpHandler of the SDK', () => createMcpHandler(createServer)],
];

/** Who asks. Default: alice, with a token that does not expire. */
export interface Asking {
  /** `null` for an anonymous client. */
  readonly sub?: string | null;
  /** Unix seconds. */
  readonly expiresAt?: number;
}

export interface Listening {
  readonly store: SessionStore;
  readonly tasks: TaskStore;
  readonly handler: Handler;
  readonly errors: unknown[];
  /** Sends `subscriptions/listen`. */
  readonly ask: (notifications: object, asking?: Asking) => Promise<Response>;
  /** The messages of a stream. Its acknowledgement has been read. */
  readonly open: (notifications: object, asking?: Asking) => Promise<AsyncGenerator<Answer, void>>;
}

/** The token of a user. */
export function tokenOf(sub: string, expiresAt?: number): AuthInfo {
  return {
    token: 'x',
    clientId: 'app',
    scopes: [],
    extra: { iss: 'https://issuer', sub },
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

/** The principal of a user. */
export function ownerOf(sub: string): { readonly principal: string } {
  return { principal: `https://issuer|${sub}` };
}

/** A handler with the tasks of a store in memory. It polls: there is no bus. */
export async function listening(
  make: HandlerMaker,
  options: Partial<TaskNotificationOptions> = {},
): Promise<Listening> {
  const store = await createMemoryStore({ sweep: false });
  const errors: unknown[] = [];
  const tasks = createTaskStore(store, { pollIntervalMs: 20, leaseMs: 3_600_000 });
  const handler = serveTaskNotifications(make(store), tasks, {
    principal: defaultPrincipal,
    onError: (error) => void errors.push(error),
    ...options,
  });
  onTestFinished(async () => {
    await handler.close();
    await store.close();
  });
  const ask: Listening['ask'] = async (notifications, { sub = 'alice', expiresAt } = {}) => {
    const request = modernRequest('http://localhost/mcp', 'subscriptions/listen', { notifications });
    return handler.fetch(request, sub === null ? {} : { authInfo: tokenOf(sub, expiresAt) });
  };
  const open: Listening['open'] = async (...given) => {
    const messages = messagesOf(await ask(...given));
    await messages.next();
    return messages;
  };
  return { store, tasks, handler, errors, ask, open };
}
