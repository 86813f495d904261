import { type CallToolRequestOptions, Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Network } from './network.ts';

/**
 * A client as an application would have it: the official SDK's, which reconnects by itself when a
 * stream breaks.
 */
export class DemoClient {
  readonly network: Network = new Network();
  readonly #signal: AbortSignal;
  readonly #client: Client;
  #transport: StreamableHTTPClientTransport | undefined;

  /**
   * @param signal Closes the client.
   * @param confirm Answers for the user. Default: the client supports no questions.
   */
  constructor(signal: AbortSignal, confirm?: () => boolean) {
    this.#signal = signal;
    const capabilities = confirm === undefined ? {} : { elicitation: {} };
    this.#client = new Client({ name: 'demo', version: '1.0.0' }, { capabilities });
    if (confirm !== undefined) {
      this.#client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { sure: confirm() } }));
    }
    signal.addEventListener('abort', () => void this.#client.close());
  }

  get sessionId(): string | undefined {
    return this.#transport?.sessionId;
  }

  async connect(url: string): Promise<void> {
    this.#transport = new StreamableHTTPClientTransport(new URL(url), { fetch: this.network.fetch });
    await this.#client.connect(this.#transport, { signal: this.#signal });
  }

  /** @returns The lines of the tool's answer. */
  async call(name: string, args: Record<string, unknown> = {}, options?: CallToolRequestOptions): Promise<string[]> {
    const result = await this.#client.callTool({ name, arguments: args }, { signal: this.#signal, ...options });
    const lines = result.content.flatMap((item) => (item.type === 'text' ? [item.text] : []));
    if (result.isError === true) throw new Error(`The tool ${name} failed: ${lines.join(' ')}`);
    return lines;
  }
}
