import type { SessionStoreOptions } from '@mcp-session/core';
import { createSessionStore, type Capabilities, type SessionBackend } from '@mcp-session/core/backend';
import type { StoreStatus } from '../../src/v1.ts';
import { type FailingBackend, failingBackend } from './failing-backend.ts';
import { eventually, type Harness, start } from './harness.ts';
import type { Json, Line, ServerPort, TestServer } from './line.ts';
import type { RawClient } from './raw.ts';

/** All that requests need of a store. */
export const ALL: readonly (keyof SessionBackend)[] = [
  'createSession',
  'readSession',
  'updateSession',
  'touchSession',
  'endSession',
  'appendEvents',
  'readEvents',
  'readHeads',
];
export const WRITES: readonly (keyof SessionBackend)[] = ALL.filter((name) => !name.startsWith('read'));

export interface Degrading extends Harness, Omit<FailingBackend, 'backend'> {
  readonly client: RawClient;
  /** What the observer got. */
  readonly statuses: readonly StoreStatus[];
  /** The servers that were made, in their order. */
  readonly servers: readonly ServerPort[];
  /**
   * Says something on the standalone stream of the session whose server was made last, or of
   * another one's.
   */
  say(data: unknown, server?: ServerPort): Promise<void>;
  /** Calls until the store is asked again, and its answer has an id. */
  untilStored(): Promise<void>;
}

/** A handler that degrades on a store that can be made to fail, and a client with a session. */
export async function startDegrading(
  line: Line,
  tools: TestServer['tools'] = { echo: () => 'x' },
  {
    store: storeOptions = {},
    facts = {},
    ...options
  }: { store?: SessionStoreOptions; facts?: Partial<Capabilities> } & Record<string, unknown> = {},
): Promise<Degrading> {
  const { backend, ...switches } = failingBackend(facts);
  const statuses: StoreStatus[] = [];
  const servers: ServerPort[] = [];
  const harness = await start(line, {
    store: await createSessionStore(backend, storeOptions),
    serve: () => ({ tools, onCreated: (server) => void servers.push(server) }),
    onStoreError: 'degrade',
    onStoreStatus: (status) => void statuses.push(status),
    ...options,
  });
  const client = harness.raw();
  await client.begin();
  const say = async (data: unknown, server = servers.at(-1)): Promise<void> =>
    server?.notify('notifications/message', { level: 'info', data });
  const untilStored = (): Promise<void> =>
    eventually(async () => (await (await client.callTool('echo')).sse.rest()).at(-1)?.id !== undefined);
  return { ...harness, ...switches, client, statuses, servers, say, untilStored };
}

/** What a log message says, and of an answer that it is one. */
export function dataOf(message: Json): unknown {
  return (message['params'] as Json | undefined)?.['data'] ?? 'answer';
}
