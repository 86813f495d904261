import type { SessionStore } from '@mcp-session/core';
import { createRequestState, type RequestState } from '@mcp-session/core/request-state';
import {
  acceptedContent,
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  type InputRequests,
  inputRequired,
  inputResponse,
  McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import { createDualEraHandler, type DualEraHandler } from '../../src/v2.ts';

const KEYS = [{ id: 'test', secret: 'x'.repeat(32) }];
const named = z.object({ name: z.string() });
const colored = z.object({ color: z.string() });
const confirmed = z.object({ ok: z.boolean() });

const askName = (message: string) => inputRequired.elicit({ message, requestedSchema: named });
const sample = (prompt: string) =>
  inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: prompt } }],
    maxTokens: 100,
  });
const text = (each: string) => ({ content: [{ type: 'text' as const, text: each }] });

/** Reads the answers of a request. */
function answersOf({ mcpReq }: ServerContext) {
  return {
    accepted: <S extends z.ZodObject>(key: string, schema: S) => acceptedContent(mcpReq.inputResponses, key, schema),
    sampled: (key: string) => inputResponse(mcpReq.inputResponses, key).kind === 'sampling',
    rooted: (key: string) => inputResponse(mcpReq.inputResponses, key).kind === 'roots',
  };
}

/** The requests that the client can answer. */
function supported({ mcpReq }: ServerContext, requests: InputRequests): InputRequests {
  const envelope: Readonly<Record<string, unknown>> = mcpReq.envelope ?? {};
  const declared = Object.keys(envelope[CLIENT_CAPABILITIES_META_KEY] ?? {});
  return Object.fromEntries(
    Object.entries(requests).filter(([, { method }]) => declared.includes(method.split('/', 1)[0] ?? '')),
  );
}

type AddTool = (name: string, run: (context: ServerContext) => Promise<object> | object) => void;

/** Tools that ask once, and know nothing between the requests. */
function addPlainTools(add: AddTool): void {
  add('elicitation', (context) => {
    const name = answersOf(context).accepted('user_name', named)?.name;
    if (name !== undefined) return text(`Hello, ${name}!`);
    return inputRequired({ inputRequests: { user_name: askName('What is your name?') } });
  });
  add('sampling', (context) => {
    if (answersOf(context).sampled('capital_question')) return text('Paris');
    return inputRequired({ inputRequests: { capital_question: sample('What is the capital of France?') } });
  });
  add('list_roots', (context) => {
    if (answersOf(context).rooted('client_roots')) return text('file:///');
    return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  });
  add('capabilities', (context) =>
    inputRequired({ inputRequests: supported(context, { name: askName('Who?'), word: sample('A word') }) }),
  );
}

/** Tools that know again what they asked. */
function addStatefulTools(add: AddTool, states: RequestState<ServerContext>): void {
  for (const name of ['request_state', 'tampered_state']) {
    add(name, async (context) => {
      const asked = context.mcpReq.requestState() === 'asked';
      if (asked && answersOf(context).accepted('confirm', confirmed)?.ok === true) return text('state-ok');
      return inputRequired({
        inputRequests: { confirm: inputRequired.elicit({ message: 'Please confirm', requestedSchema: confirmed }) },
        requestState: await states.mint('asked', context),
      });
    });
  }
  add('multiple_inputs', async (context) => {
    const { accepted, sampled, rooted } = answersOf(context);
    const answered = accepted('user_name', named) !== undefined && sampled('greeting') && rooted('client_roots');
    if (context.mcpReq.requestState() === 'asked' && answered) return text('all');
    return inputRequired({
      inputRequests: {
        user_name: askName('What is your name?'),
        greeting: sample('Generate a greeting'),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await states.mint('asked', context),
    });
  });
  add('multi_round', async (context) => {
    const { accepted } = answersOf(context);
    const step = context.mcpReq.requestState<{ readonly name?: string }>();
    if (step?.name !== undefined) return text(`${step.name} likes ${accepted('step2', colored)?.color}`);
    const color = inputRequired.elicit({ message: 'Step 2: What is your favorite color?', requestedSchema: colored });
    return step === undefined
      ? inputRequired({
          inputRequests: { step1: askName('Step 1: What is your name?') },
          requestState: await states.mint({}, context),
        })
      : inputRequired({
          inputRequests: { step2: color },
          requestState: await states.mint({ name: accepted('step1', named)?.name ?? '' }, context),
        });
  });
}

/**
 * A server with what the official scenarios of input requests need. Its states are sealed, and used
 * once.
 */
function createServer(store: SessionStore): McpServer {
  const states = createRequestState<ServerContext>(store, { keys: KEYS, principal: () => null, once: true });
  const server = new McpServer({ name: 'input', version: '1.0.0' }, { requestState: { verify: states.verify } });
  const add: AddTool = (name, run) => {
    server.registerTool(
      `test_input_required_result_${name}`,
      {},
      async (context) => (await run(context)) as CallToolResult,
    );
  };
  addPlainTools(add);
  addStatefulTools(add, states);
  server.registerPrompt('test_input_required_result_prompt', {}, (context) => {
    const schema = z.object({ context: z.string() });
    const given = answersOf(context).accepted('user_context', schema);
    if (given !== undefined) return { messages: [{ role: 'user', content: { type: 'text', text: given.context } }] };
    const ask = inputRequired.elicit({ message: 'What context should the prompt use?', requestedSchema: schema });
    return inputRequired({ inputRequests: { user_context: ask } });
  });
  return server;
}

/** A node that asks its clients for input. */
export function inputRequiredNode(store: SessionStore): DualEraHandler {
  return createDualEraHandler({
    store,
    // The scenarios send what is refused on purpose.
    onError: () => undefined,
    createServer: () => createServer(store),
    createStatelessServer: () => createServer(store),
  });
}
