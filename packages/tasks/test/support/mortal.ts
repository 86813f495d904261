import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { dynamoDbConfig } from '@mcp-session-tooling/databases';
import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { createDualEraHandler, type DualEraHandler } from '@mcp-session/http/v2';
import { createDynamoDbBackend } from '@mcp-session/dynamodb';
import { createPostgresBackend } from '@mcp-session/postgres';
import { createSqliteBackend } from '@mcp-session/sqlite';
import { createTaskStore, type TaskHandle, type TaskStore } from '../../src/index.ts';
import { createOfficialServer, runners } from './official-server.ts';

/** Where the nodes keep their tasks. */
export type Address =
  | { readonly backend: 'SQLite'; readonly path: string }
  | { readonly backend: 'PostgreSQL'; readonly url: string; readonly schema: string }
  | { readonly backend: 'DynamoDB'; readonly url: string; readonly prefix: string };

/** What is stored of a task when a node dies. */
export const deaths = ['created', 'asked', 'answered', 'accepted', 'completed'] as const;
export type Death = (typeof deaths)[number];

interface Stored {
  readonly status: string;
  readonly inputRequests: object;
  readonly answers: object;
}

/** Asks, and says what was answered. */
async function confirm(task: TaskHandle) {
  const params = { mode: 'form', message: 'Delete it?', requestedSchema: { type: 'object', properties: {} } };
  const { confirm: answer } = await task.requireInput({ confirm: { method: 'elicitation/create', params } });
  return { content: [{ type: 'text', text: JSON.stringify(answer) }] };
}

export const LEASE_MS = 600;

/**
 * A node, which may die as soon as something is stored, before anyone learns of that.
 *
 * @param clock The clock of its tasks. Default: that of the machine.
 */
export async function mortalNode(
  address: Address,
  death: Death | undefined,
  clock: () => number = Date.now,
): Promise<{ readonly handler: DualEraHandler; readonly tasks: TaskStore; readonly close: () => Promise<void> }> {
  const store = await createSessionStore(mortal(await open(address), death), { sweep: false });
  const tasks = createTaskStore(store, {
    runners: { ...runners, confirm_delete: confirm },
    onInterrupted: 'run again',
    leaseMs: LEASE_MS,
    pollIntervalMs: 50,
    clock,
    onError: () => undefined,
  });
  const createServer = () => createOfficialServer(tasks);
  const handler = createDualEraHandler({ store, createServer, createStatelessServer: createServer });
  const close = async (): Promise<void> => {
    await handler.close();
    await store.close();
  };
  return { handler, tasks, close };
}

async function open(address: Address): Promise<SessionBackend> {
  switch (address.backend) {
    case 'SQLite':
      return createSqliteBackend({ path: address.path, synchronous: 'normal' });
    case 'PostgreSQL':
      return createPostgresBackend({ url: address.url, schema: address.schema });
    case 'DynamoDB':
      return createDynamoDbBackend({
        client: new DynamoDBClient(dynamoDbConfig(address.url)),
        sessionsTable: `${address.prefix}sessions`,
        eventsTable: `${address.prefix}events`,
        autoCreateTables: true,
      });
  }
}

function mortal(backend: SessionBackend, death: Death | undefined): SessionBackend {
  const dieIf = (stored: Death): void => {
    if (stored === death) process.kill(process.pid, 'SIGKILL');
  };
  const wrong: Partial<SessionBackend> = {
    createSession: async (session, now) => {
      const created = await backend.createSession(session, now);
      if (session.kind === 'task') dieIf('created');
      return created;
    },
    appendEvents: async (batch, now) => {
      const results = await backend.appendEvents(batch, now);
      dieIf('answered');
      return results;
    },
    updateSession: async (id, change, now) => {
      const result = await backend.updateSession(id, change, now);
      const { metadata } = JSON.parse(change.profile?.text ?? '{}') as { readonly metadata?: Stored };
      if (metadata?.status === 'completed') dieIf('completed');
      else if (Object.keys(metadata?.inputRequests ?? {}).length > 0) dieIf('asked');
      else if (Object.keys(metadata?.answers ?? {}).length > 0) dieIf('accepted');
      return result;
    },
  };
  return new Proxy(backend, {
    get(target, key) {
      if (Object.hasOwn(wrong, key)) return wrong[key as keyof SessionBackend];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
