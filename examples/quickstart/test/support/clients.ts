import * as v2 from '@modelcontextprotocol/client';
import * as v1 from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { onTestFinished } from 'vitest';

interface CallOptions {
  readonly onProgress?: (progress: number) => void;
  readonly signal?: AbortSignal;
}

/** What the tests use of a real client, whichever its SDK line. */
export interface TestClient {
  readonly sessionId: string | undefined;
  /** @returns The lines of the tool's answer. */
  call(name: string, args?: Record<string, unknown>, options?: CallOptions): Promise<string[]>;
}

type Answer = { action: 'accept'; content: { sure: boolean } } | { action: 'decline' };

/** Connects a client. `answer`: what its user says to every question. */
export type Connect = (url: string, answer?: Answer) => Promise<TestClient>;

const INFO = { name: 'test', version: '1.0.0' };
const CAPABILITIES = { capabilities: { elicitation: {} } };
const connectV2: Connect = async (url, answer = { action: 'decline' }) => {
  const client = new v2.Client(INFO, CAPABILITIES);
  client.setRequestHandler('elicitation/create', () => answer);
  const transport = new v2.StreamableHTTPClientTransport(new URL(url));
  await client.connect(transport);
  onTestFinished(() => client.close());
  return {
    get sessionId() {
      return transport.sessionId;
    },
    call: async (name, args, options) =>
      texts(await client.callTool({ name, arguments: args ?? {} }, requestOptions(options))),
  };
};

const connectV1: Connect = async (url, answer = { action: 'decline' }) => {
  const client = new v1.Client(INFO, CAPABILITIES);
  client.setRequestHandler(ElicitRequestSchema, () => answer);
  const transport = new StreamableHTTPClientTransport(new URL(url));
  await client.connect(transport);
  onTestFinished(() => client.close());
  return {
    get sessionId() {
      return transport.sessionId;
    },
    call: async (name, args, options) =>
      texts(await client.callTool({ name, arguments: args ?? {} }, undefined, requestOptions(options))),
  };
};

/** By the name of the SDK line. */
export const clients: readonly (readonly [name: string, connect: Connect])[] = [
  ['SDK v2', connectV2],
  ['SDK v1', connectV1],
];

function requestOptions({ onProgress, signal }: CallOptions = {}): v2.RequestOptions {
  return {
    ...(onProgress !== undefined && { onprogress: ({ progress }) => onProgress(progress) }),
    ...(signal !== undefined && { signal }),
  };
}

function texts(result: Readonly<Record<string, unknown>>): string[] {
  return (result['content'] as { readonly text: string }[]).map(({ text }) => text);
}
