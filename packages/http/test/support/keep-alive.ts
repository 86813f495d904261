import { serve as serveHono } from '@hono/node-server';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { type FetchHandler, toNodeHandler } from '../../src/node.ts';

/** Puts a handler behind a framework as its README block does. */
type Mount = (handler: FetchHandler<unknown>) => Server | Promise<Server>;

/** Every framework of the README, without a parser of its own where it has a choice. */
export const frameworks: Readonly<Record<string, Mount>> = {
  'node:http': (handler) => {
    const listener = toNodeHandler(handler);
    return createServer((request, response) => void listener(request, response));
  },
  Express: (handler) => createServer(express().all('/mcp', toNodeHandler(handler))),
  Fastify: async (handler) => {
    const app = Fastify();
    const mcp = toNodeHandler(handler);
    app.all('/mcp', async ({ raw, body }, reply) => {
      reply.hijack();
      await mcp(Object.assign(raw, { body }), reply.raw);
    });
    await app.ready();
    return app.server;
  },
  Hono: (handler) => {
    const app = new Hono().all('/mcp', ({ req }) => handler.fetch(req.raw));
    const server = serveHono({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
    return server as Server;
  },
};

/** The port of a server that is gone when the test is. */
export async function listening(server: Server): Promise<number> {
  if (server.address() === null) {
    if (!server.listening) server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  // As behind a load balancer: what hangs does not end by itself.
  server.keepAliveTimeout = 65_000;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

export interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** One connection, on which requests are written by hand. */
export class Connection {
  readonly socket: Socket;
  /** All that has come. */
  received = '';
  #text = '';
  #wake: () => void = () => undefined;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('latin1');
    this.socket.on('data', (chunk: string) => {
      this.#text += chunk;
      this.received += chunk;
      this.#wake();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => this.#wake());
  }

  /**
   * The next whole answer, or the beginning of a stream. @throws Error where there is none within
   * `ms`.
   */
  async answer(ms = 8_000, method = 'POST'): Promise<Answer> {
    const answer = await this.until(() => this.#take(method), ms);
    if (answer === undefined) throw new Error(`No answer: ${JSON.stringify(this.#text.slice(0, 1_000))}`);
    return answer;
  }

  /** What `look` finds, when it does; `undefined`: the connection ended, or `ms` have passed. */
  until<T>(look: () => T | undefined, ms: number): Promise<T | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), ms);
      this.#wake = () => {
        const found = look();
        if (found === undefined && !this.socket.destroyed) return;
        clearTimeout(timer);
        resolve(found);
      };
      this.#wake();
    });
  }

  #take(method: string): Answer | undefined {
    const end = this.#text.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const head = this.#text.slice(0, end);
    const start = end + 4;
    if (method === 'HEAD' || /^content-type: text\/event-stream/im.test(head)) return this.#cut(head, start, start);
    const length = / 204 /.test(head) ? '0' : /^content-length: (\d+)/im.exec(head)?.[1];
    const stop = length === undefined ? this.#endOfChunks(start) : start + Number(length);
    if (stop === undefined || this.#text.length < stop) return undefined;
    return this.#cut(head, start, stop);
  }

  #cut(head: string, start: number, stop: number): Answer {
    const body = this.#text.slice(start, stop);
    this.#text = this.#text.slice(stop);
    return { status: Number(head.split(' ')[1]), head, body };
  }

  #endOfChunks(start: number): number | undefined {
    const end = this.#text.indexOf('0\r\n\r\n', start);
    return end < 0 ? undefined : end + 5;
  }
}

/** A request as it goes over the wire, its body with its length or in chunks of 16 kB. */
export function wire(
  method: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  framing: 'length' | 'chunked' = 'length',
): string {
  const lines = Object.entries({ host: '127.0.0.1', ...headers }).map(([name, value]) => `${name}: ${value}`);
  if (framing === 'length') lines.push(`content-length: ${body.length}`);
  else lines.push('transfer-encoding: chunked');
  const head = `${method} /mcp HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
  if (framing === 'length') return head + body;
  const chunks = body.match(/[^]{1,16000}/g) ?? [];
  return `${head}${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`;
}
