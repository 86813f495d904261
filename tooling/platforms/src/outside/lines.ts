import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

/** What a tool reports while it runs. */
export interface Report {
  readonly progress: number;
  readonly message?: string | undefined;
}

/** A client of one of the two SDK lines. All of its options have their defaults. */
export interface Caller {
  readonly sessionId: string;
  /** Calls a tool and returns its text. */
  readonly call: (name: string, args?: Record<string, unknown>, onReport?: (report: Report) => void) => Promise<string>;
  /** How many notifications the standalone stream has brought. */
  readonly heard: () => number;
  readonly close: () => Promise<void>;
}

/** Connects a client of a line. */
export type Connect = (url: string) => Promise<Caller>;

export const lines: Readonly<Record<'SDK v1' | 'SDK v2', Connect>> = {
  'SDK v1': async (url) => {
    const transport = new TransportV1(new URL(url));
    const client = new ClientV1({ name: 'caller', version: '1.0.0' });
    let heard = 0;
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard++);
    await client.connect(transport);
    return {
      sessionId: transport.sessionId ?? '',
      call: async (name, args = {}, onReport) =>
        textOf(await client.callTool({ name, arguments: args }, undefined, onReport && { onprogress: onReport })),
      heard: () => heard,
      close: () => client.close(),
    };
  },
  'SDK v2': async (url) => {
    const transport = new StreamableHTTPClientTransport(new URL(url));
    const client = new Client({ name: 'caller', version: '1.0.0' });
    let heard = 0;
    client.setNotificationHandler('notifications/tools/list_changed', () => void heard++);
    await client.connect(transport);
    return {
      sessionId: transport.sessionId ?? '',
      call: async (name, args = {}, onReport) =>
        textOf(await client.callTool({ name, arguments: args }, onReport && { onprogress: onReport })),
      heard: () => heard,
      close: () => client.close(),
    };
  },
};

function textOf(result: object): string {
  const { content } = result as { readonly content: readonly { readonly text?: string }[] };
  return content.map(({ text = '' }) => text).join('\n');
}
