import type { SessionStore } from '@mcp-session/core';
import { addresses } from './addresses.ts';
import { eventually, start } from './harness.ts';
import type { StandaloneRecord } from '../../src/lib/store/session-record.ts';
import { leaveOwned, recordOf } from './record.ts';
import type { Json, Line, TestOptions } from './line.ts';
import { startNodes } from './nodes.ts';
import { RawClient, type RawResponse } from './raw.ts';

type Options = Partial<Omit<TestOptions, 'serve'>>;
/** The nodes of a session; gone when the test is. */
type Open = (line: Line, options: Options) => Promise<{ store: SessionStore; urls: readonly URL[] }>;

/** Where they run. */
export const places: readonly (readonly [name: string, open: Open])[] = [
  [
    'one node in memory',
    async (line, options) => {
      const { store, url } = await start(line, options);
      return { store, urls: [url] };
    },
  ],
  ...addresses.map(
    ([name, newAddress]) =>
      [
        `two nodes on ${name}`,
        async (line: Line, { store: _, ...options }: Options) => {
          const nodes = await startNodes(line, 2, { ...options, newAddress });
          return { store: nodes[0]?.store as SessionStore, urls: nodes.map(({ url }) => url) };
        },
      ] as const,
  ),
];

/** A session of a client with several streams, each of which comes to another node in turn. */
export class Play {
  readonly #store: SessionStore;
  readonly #id: string;
  readonly #clients: readonly RawClient[];
  #turn = 0;
  #said = 0;

  private constructor(store: SessionStore, id: string, clients: readonly RawClient[]) {
    this.#store = store;
    this.#id = id;
    this.#clients = clients;
  }

  static async begin(open: Open, line: Line, options: Options): Promise<Play> {
    const { store, urls } = await open(line, options);
    const first = new RawClient(urls[0] as URL);
    const id = await first.begin();
    return new Play(
      store,
      id,
      urls.map((url) => new RawClient(url, first.headers)),
    );
  }

  /** A stream of the client, which has no connection yet. */
  stream(): Stream {
    return new Stream(async (cursor) => {
      const response = await this.#clients[this.#turn++ % this.#clients.length]?.get({ 'last-event-id': cursor });
      if (response === undefined) throw new Error('There is no node');
      return response;
    });
  }

  /** Sends the client the next number. */
  async say(): Promise<void> {
    const session = await this.#store.get(this.#id);
    const params = { level: 'info', data: ++this.#said };
    await session?.events.append('_GET_stream', { jsonrpc: '2.0', method: 'notifications/message', params });
  }

  /** What the session keeps about its standalone stream. */
  facts(): Promise<StandaloneRecord> {
    return recordOf(this.#store, this.#id);
  }

  /** Breaks a stream's connection, and sees that its node has noticed. */
  async cut(stream: Stream): Promise<void> {
    await stream.cut();
    await eventually(async () => (await this.facts()).nodeId === undefined);
  }

  /** As a node leaves the session that is killed while it holds its stream. */
  async kill(): Promise<void> {
    await leaveOwned(this.#store, this.#id);
  }
}

/** One stream of a client that comes back with the last id that it has got. */
export class Stream {
  /** All that it got. */
  readonly told: unknown[] = [];
  readonly #get: (cursor: string | undefined) => Promise<RawResponse>;
  #cursor: string | undefined;
  #response: RawResponse | undefined;

  constructor(get: (cursor: string | undefined) => Promise<RawResponse>) {
    this.#get = get;
  }

  /**
   * @param cursorGets Whether the cursor with which the response begins gets to the client.
   * @returns The status.
   */
  async open(cursorGets = true): Promise<number> {
    this.#response = await this.#get(this.#cursor);
    const { status, sse } = this.#response;
    if (status !== 200) await this.#response.cancel();
    else if (cursorGets) this.#cursor = (await sse.next())?.id;
    return status;
  }

  /** Reads the next message. */
  async hear(): Promise<void> {
    const { id, message } = await this.#read();
    this.#cursor = id;
    this.told.push((message['params'] as Json)['data']);
  }

  /** The next message gets as far as the client's machine, and not to the client. */
  async lose(): Promise<void> {
    await this.#read();
  }

  async #read(): Promise<{ readonly id: string; readonly message: Json }> {
    if (this.#response === undefined) throw new Error('Stream is not open');
    return this.#response.sse.message();
  }

  /** Reads until the server ends the response. */
  async toEnd(): Promise<void> {
    for (const { id, data } of (await this.#response?.sse.rest()) ?? []) {
      this.#cursor = id ?? this.#cursor;
      if (data) this.told.push((JSON.parse(data) as { params: Json }).params['data']);
    }
  }

  async cut(): Promise<void> {
    await this.#response?.cancel();
  }
}
