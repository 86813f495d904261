import { createTestTables } from '@mcp-session-tooling/databases';
import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { functionUrlEvent, httpApiEvent, restApiEvent, type Sent } from './support/events.ts';
import { type Answer, invoke, type Invocation, messagesOf } from './support/invoke.ts';

let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  const { url } = inject('dynamodb');
  const { prefix, config, dispose } = createTestTables(url);
  env = { DYNAMODB_ENDPOINT: url, SESSIONS_TABLE: `${prefix}sessions`, EVENTS_TABLE: `${prefix}events` };
  const client = new DynamoDBClient(config);
  const names = { sessionsTable: `${prefix}sessions`, eventsTable: `${prefix}events` };
  // As the infrastructure does: the functions themselves may not.
  await (await createDynamoDbStore({ ...names, client, autoCreateTables: true })).close();
  onTestFinished(async () => {
    client.destroy();
    await dispose();
  });
});

type Send = (sent: Sent, remainingMs?: number) => Promise<Answer>;

const through = (handler: Invocation['handler'], toEvent: (sent: Sent) => unknown): Send => {
  return (sent, remainingMs) =>
    invoke({ handler, event: toEvent(sent), env, ...(remainingMs !== undefined && { remainingMs }) });
};

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1.0.0' } },
};

async function begin(send: Send): Promise<Record<string, string>> {
  const answer = await send({ method: 'POST', body: initialize });
  expect(answer.status).toBe(200);
  const headers = {
    'mcp-session-id': answer.headers['mcp-session-id'] ?? '',
    'mcp-protocol-version': '2025-11-25',
  };
  const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
  expect((await send({ method: 'POST', headers, body: initialized })).status).toBe(202);
  return headers;
}

function call(id: number, name: string, args: object = {}, progressToken?: string) {
  const params = { name, arguments: args, ...(progressToken !== undefined && { _meta: { progressToken } }) };
  return { jsonrpc: '2.0', id, method: 'tools/call', params };
}

const doors = [
  ['an HTTP API', through('buffered.handler', httpApiEvent)],
  ['a REST API', through('buffered.handler', restApiEvent)],
  ['a function URL', through('buffered.handler', functionUrlEvent)],
  ['a function URL that streams', through('streaming.handler', functionUrlEvent)],
] as const;

describe.each(doors)('behind %s', (_name, send) => {
  it('serves one session over several invocations, each in a fresh process', async () => {
    const headers = await begin(send);
    for (const visit of [1, 2]) {
      const answer = await send({ method: 'POST', headers, body: call(visit + 1, 'visit') });
      expect(messagesOf(answer).at(-1)?.data).toMatchObject({
        id: visit + 1,
        result: { content: [{ text: `visit ${visit}` }] },
      });
    }
    expect((await send({ method: 'DELETE', headers })).status).toBe(204);
    expect((await send({ method: 'POST', headers, body: call(9, 'visit') })).status).toBe(404);
  });
});

it('tells clients that they cannot listen where a response must be complete', async () => {
  const send = through('buffered.handler', httpApiEvent);
  const headers = await begin(send);
  expect((await send({ method: 'GET', headers: { ...headers, accept: 'text/event-stream' } })).status).toBe(405);
});

it('streams progress, and gives it again to a client that comes back', async () => {
  const send = through('streaming.handler', functionUrlEvent);
  const headers = await begin(send);
  const answer = await send({ method: 'POST', headers, body: call(2, 'count', { to: 3 }, 'p') });
  const messages = messagesOf(answer);
  expect(messages.map(({ data }) => (data['params'] as { progress: number } | undefined)?.progress)).toEqual([
    1,
    2,
    3,
    undefined,
  ]);
  expect(messages.at(-1)?.data).toMatchObject({ id: 2, result: { content: [{ text: 'counted to 3' }] } });
  const resumed = await send({
    method: 'GET',
    headers: { ...headers, accept: 'text/event-stream', 'last-event-id': messages[0]?.id ?? '' },
  });
  expect(messagesOf(resumed)).toEqual(messages.slice(1));
});

it('ends a call that takes longer than its invocation with an error, as for any process that has died', async () => {
  const send = through('streaming.handler', functionUrlEvent);
  const headers = await begin(send);
  const body = call(2, 'count', { to: 100, everyMs: 100 }, 'p');
  const event = functionUrlEvent({ method: 'POST', headers, body });
  const sent = messagesOf(await invoke({ handler: 'streaming.handler', event, env, remainingMs: 6_000, freeze: true }));
  expect(sent.length).toBeGreaterThan(2);
  expect(sent.every(({ data }) => data['method'] === 'notifications/progress')).toBe(true);
  const resumed = await send({
    method: 'GET',
    headers: { ...headers, accept: 'text/event-stream', 'last-event-id': sent.at(-2)?.id ?? '' },
  });
  const rest = messagesOf(resumed);
  expect(rest[0]).toEqual(sent.at(-1));
  expect(rest.at(-1)?.data).toMatchObject({ id: 2, error: { code: -32_603 } });
});

it('closes the stream of a client that listens before the time of the invocation is up', async () => {
  const send = through('streaming.handler', functionUrlEvent);
  const headers = await begin(send);
  const answer = await send({ method: 'GET', headers: { ...headers, accept: 'text/event-stream' } }, 6_000);
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('text/event-stream');
});

it('sweeps on a schedule', async () => {
  await begin(through('buffered.handler', httpApiEvent));
  expect((await invoke({ handler: 'buffered.sweep', event: { source: 'aws.events' }, env })).status).toBe(0);
});
