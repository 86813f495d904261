import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

/** One connection of a client to the server. */
export interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Resets it, as a network that fails does. */
  cut(): undefined;
}

/** Sees what goes one way. What it returns goes on; `undefined`: nothing does. */
type Hook = (bytes: Buffer, link: Link) => Buffer | undefined;

/**
 * A TCP proxy in front of a real server, that does to its connections what networks and poolers do.
 */
export class Proxy {
  readonly url: string;
  toServer: Hook = (bytes) => bytes;
  toClient: Hook = (bytes) => bytes;
  readonly #links = new Set<Link>();
  readonly #server: Server;
  #held: (() => void)[] | undefined;

  private constructor(url: string, server: Server) {
    this.url = url;
    this.#server = server;
  }

  /** Listens on a free port until the test is over. */
  static async open(target: string): Promise<Proxy> {
    const { hostname, port } = new URL(target);
    const server = createServer((client) => proxy.#link(client, connect(Number(port), hostname)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(target);
    url.hostname = '127.0.0.1';
    url.port = String((server.address() as AddressInfo).port);
    const proxy = new Proxy(url.href, server);
    onTestFinished(() => proxy.close());
    return proxy;
  }

  get links(): readonly Link[] {
    return [...this.#links];
  }

  /** Cuts all connections that there are. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  /**
   * From now on nothing goes through, while everything stays connected: a peer that is gone without
   * a word.
   */
  hang(): void {
    this.#held ??= [];
  }

  /** Lets through what was held back, and all that follows. */
  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const pass of held) pass();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #link(client: Socket, server: Socket): void {
    const cut = (): undefined => {
      this.#links.delete(link);
      client.resetAndDestroy();
      server.destroy();
    };
    const link: Link = { client, server, cut };
    this.#links.add(link);
    const pass = (bytes: Buffer, to: Socket, hook: Hook): void => {
      const passed = hook(bytes, link);
      if (passed !== undefined && !to.destroyed) to.write(passed);
    };
    const forward = (from: Socket, to: Socket, hook: () => Hook): void => {
      from.on('data', (bytes: Buffer) => {
        if (this.#held === undefined) pass(bytes, to, hook());
        else this.#held.push(() => pass(bytes, to, hook()));
      });
      from.on('error', cut);
      from.on('close', cut);
    };
    forward(client, server, () => this.toServer);
    forward(server, client, () => this.toClient);
  }
}

/**
 * Drops messages of one type from what a server sends
 * (postgresql.org/docs/current/protocol-message-formats.html).
 */
export function withoutMessages(type: string): Hook {
  const rests = new WeakMap<Link, Buffer>();
  return (bytes, link) => {
    let rest = Buffer.concat([rests.get(link) ?? Buffer.alloc(0), bytes]);
    const kept: Buffer[] = [];
    while (rest.length > 4 && rest.length >= 1 + rest.readUInt32BE(1)) {
      const length = 1 + rest.readUInt32BE(1);
      if (rest.toString('latin1', 0, 1) !== type) kept.push(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    rests.set(link, rest);
    return kept.length === 0 ? undefined : Buffer.concat(kept);
  };
}

/** The message by which a server refuses. */
export function refusal(sqlState: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${sqlState}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeUInt32BE(4 + fields.length, 1);
  return Buffer.concat([head, fields]);
}
