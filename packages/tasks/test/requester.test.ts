import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import {
  createTaskSessionFromClient,
  type RawClientDispatch,
  type TaskEnabledSession,
  type TaskOutcome,
  type WithTasksOptions,
} from '@modelcontextprotocol/ext-tasks/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { serveOfficial } from './support/official-nodes.ts';

const REVISION = '2026-07-28';
const INFO = { name: 'requester', version: '1.0.0' };
const CAPABILITIES = { elicitation: { form: {} } };

/**
 * What `@modelcontextprotocol/ext-tasks` asks of its host: it sends what the SDK's client cannot.
 */
function dispatchTo(url: string): RawClientDispatch {
  let id = 0;
  return async (request, { signal, context } = {}) => {
    const { method, params } = request as { readonly method: string; readonly params: Record<string, unknown> };
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': REVISION,
        'mcp-method': method,
        // For requests of tasks the requester gives it.
        ...(method === 'tools/call' && { 'mcp-name': String(params['name']) }),
        ...context?.headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params }),
      signal: signal ?? null,
    });
    const text = await response.text();
    const json = text.startsWith('{') ? text : (/^data: (\{.*)$/m.exec(text)?.[1] ?? '{}');
    const message = JSON.parse(json) as Pick<Extract<Answer, { kind: 'result' }>, 'result'> | Refusal;
    return 'error' in message ? { kind: 'error', error: message.error } : { kind: 'result', result: message.result };
  };
}

type Answer = Awaited<ReturnType<RawClientDispatch>>;
type Refusal = Pick<Extract<Answer, { kind: 'error' }>, 'error'>;

async function connect(url: string, options: WithTasksOptions = {}): Promise<TaskEnabledSession> {
  const client = new Client(INFO, { capabilities: CAPABILITIES, versionNegotiation: { mode: { pin: REVISION } } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  const session = createTaskSessionFromClient(client, {
    endpointId: 'tasks',
    rawDispatch: dispatchTo(url),
    v2RequestFraming: { protocolVersion: REVISION, clientInfo: INFO, clientCapabilities: CAPABILITIES },
    ...options,
  });
  onTestFinished(async () => {
    await session.close();
    await client.close();
  });
  return session;
}

/** Calls a tool to its end. */
async function settle(session: TaskEnabledSession, name: string, params = {}): Promise<readonly [string, Outcome]> {
  const execution = await session.callTool(name, params);
  const { outcome } = await execution.settle();
  return [execution.kind, outcome];
}

type Outcome = TaskOutcome<unknown>;

const completed = (text: string, more: object = {}): object => ({
  status: 'completed',
  result: { content: [{ type: 'text', text }], ...more },
});

describe.each([1, 2])('the requester of @modelcontextprotocol/ext-tasks, on %i node(s) that take turns', (count) => {
  it('task rules 6 and 19: gets results, failures and answers a task that asks', async () => {
    const asked: string[] = [];
    const errors: Error[] = [];
    const session = await connect(await serveOfficial(count), {
      onError: (error) => errors.push(error),
      onInputRequest: async (request, { scope, inputId }) => {
        asked.push(`${request.kind} of ${scope}: ${inputId}`);
        const content = scope === 'request' ? { name: 'Ada' } : { ok: true };
        return { action: 'accept', content } as never;
      },
    });
    expect(session.capabilities).toMatchObject({ execution: true, cancellation: true, inputResponses: true });

    expect(await settle(session, 'greet', { name: 'Ada' })).toMatchObject(['immediate', completed('Hello, Ada!')]);
    expect(await settle(session, 'slow_compute')).toMatchObject(['task', completed('computed')]);
    expect(await settle(session, 'failing_job')).toMatchObject([
      'task',
      completed('It fails always', { isError: true }),
    ]);
    expect(await settle(session, 'protocol_error_job')).toMatchObject([
      'task',
      { status: 'failed', error: { code: -32_603, message: 'It breaks the protocol' } },
    ]);
    expect(asked).toEqual([]);
    expect(await settle(session, 'confirm_delete')).toMatchObject(['task', completed('deleted')]);
    expect(asked.splice(0)).toEqual(['elicitation of task: confirm']);
    expect(await settle(session, 'multi_input')).toMatchObject(['task', completed('both')]);
    expect(asked.splice(0)).toEqual(['elicitation of task: first', 'elicitation of task: second']);
    expect(await settle(session, 'test_tool_with_task')).toMatchObject(['task', completed('Hello, "Ada"')]);
    expect(asked).toEqual(['elicitation of request: user_name']);
    expect(errors).toEqual([]);
  });

  it('task rule 9: cancels a task, and a second requester continues with the reference of the first', async () => {
    const url = await serveOfficial(count);
    const first = await connect(url);
    const second = await connect(url);
    const long = await first.callTool('slow_compute', { seconds: 60 });
    await long.cancel();
    expect((await long.settle()).outcome).toMatchObject({ status: 'cancelled' });

    const brief = await first.callTool('slow_compute', { seconds: 0.1 });
    if (brief.kind !== 'task') throw new Error('It is a task');
    const reference = brief.serializeReference();
    await brief.detach();
    const resumed = await second.resumeTask(reference);
    expect((await resumed.settle()).outcome).toMatchObject(completed('computed'));
    await expect(second.task(`${reference.taskId}A` as never).snapshot()).rejects.toThrow('Task not found');
  });
});
