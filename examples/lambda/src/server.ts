import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SessionStore } from '@mcp-session/core';
import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { createSessionHandler } from '@mcp-session/http/v2';
import { McpServer } from '@modelcontextprotocol/server';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';

const state = { visits: z.number() };

/**
 * Opened once, when an execution environment starts, and shared by all of its invocations. It
 * starts no timer.
 */
export const store: SessionStore<typeof state> = await createDynamoDbStore({
  ...tables(),
  ...client(),
  state,
  sweep: false,
});

export const mcp = createSessionHandler({
  store,
  createServer: ({ session }) => {
    const server = new McpServer({ name: 'visits', version: '1.0.0' });
    server.registerTool('visit', { description: 'Counts the visits of this session' }, async () => {
      const visits = await session.state.update('visits', (n = 0) => n + 1);
      return { content: [{ type: 'text', text: `visit ${visits}` }] };
    });
    server.registerTool(
      'count',
      {
        description: 'Counts up to a number and reports progress',
        inputSchema: z.object({ to: z.number(), everyMs: z.number().default(0) }),
      },
      async ({ to, everyMs }, { mcpReq }) => {
        const progressToken = mcpReq._meta?.progressToken;
        for (let progress = 1; progress <= to && progressToken !== undefined; progress++) {
          await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: to } });
          await pause(everyMs, undefined, { signal: mcpReq.signal });
        }
        return { content: [{ type: 'text', text: `counted to ${to}` }] };
      },
    );
    return server;
  },
  // Lambda freezes an environment after its response. Its calls then count as dead after 3 seconds.
  leaseMs: 3_000,
});

function tables() {
  const { SESSIONS_TABLE: sessionsTable, EVENTS_TABLE: eventsTable } = process.env;
  return { ...(sessionsTable !== undefined && { sessionsTable }), ...(eventsTable !== undefined && { eventsTable }) };
}

/** For DynamoDB Local. On Lambda, the SDK finds all settings by itself. */
function client() {
  const { DYNAMODB_ENDPOINT: endpoint } = process.env;
  if (endpoint === undefined) return {};
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  return { client: new DynamoDBClient({ endpoint, region: 'us-east-1', credentials }) };
}
