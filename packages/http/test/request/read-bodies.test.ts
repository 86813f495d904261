import { createMemoryStore } from '@mcp-session/core/memory';
import express, { type RequestHandler } from 'express';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { toNodeHandler } from '../../src/node.ts';
import { statelessEntries } from '../support/stateless-requests.ts';

const store = await createMemoryStore();
afterAll(() => store.close());

const READ =
  'TypeError: Body of a request was read in front of the handler; pass it on as parsedBody, or as request.body with toNodeHandler';

/** Reads the body and forgets it. */
const consume: RequestHandler = async (request, _response, next) => {
  await text(request);
  next();
};

/** As the parsers of Express 4 do with a body of another type. */
const setEmpty: RequestHandler = (request, _response, next) => {
  request.body = {};
  next();
};

describe.each(statelessEntries)(
  'bodies that something else has read, $name',
  ({ createHandler, makeServer, request }) => {
    const errors: string[] = [];

    function handlerOf(options: object = {}): ReturnType<typeof createHandler> {
      errors.splice(0);
      const handler = createHandler({
        store,
        createStatelessServer: () => makeServer(async () => 'served'),
        onError: (error) => void errors.push(String(error)),
        ...options,
      });
      onTestFinished(() => handler.close());
      return handler;
    }

    async function send(middleware: RequestHandler, options?: object): Promise<Response> {
      const app = express();
      app.use(middleware);
      app.all('/mcp', toNodeHandler(handlerOf(options)));
      const server = app.listen(0, '127.0.0.1');
      await once(server, 'listening');
      onTestFinished(() => {
        server.closeAllConnections();
        server.close();
      });
      const { headers } = request();
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
      return fetch(url, { method: 'POST', headers, body: await request().text() });
    }

    it.each([
      ['express.json()', express.json()],
      ['express.text()', express.text({ type: '*/*' })],
      ['express.raw()', express.raw({ type: '*/*' })],
      ['a parser of Express 4 for another type', setEmpty],
    ])('behind %s, it is served', async (_, middleware) => {
      const response = await send(middleware);
      expect([response.status, await response.text(), errors]).toEqual([200, expect.stringContaining('served'), []]);
    });

    it.each([
      ['express.text()', express.text({ type: '*/*' })],
      ['express.raw()', express.raw({ type: '*/*' })],
    ])('behind %s, the limit of its size holds', async (_, middleware) => {
      expect((await send(middleware, { maxBodyBytes: 20 })).status).toBe(413);
      expect(errors).toEqual([]);
    });

    it('text and bytes that are no JSON are 400, and bytes of another charset 415', async () => {
      const { fetch } = handlerOf();
      const { url, headers } = request();
      const statusOf = async (parsedBody: unknown, contentType = 'application/json'): Promise<number> => {
        const changed = new Headers(headers);
        changed.set('content-type', contentType);
        return (await fetch(new Request(url, { method: 'POST', headers: changed }), { parsedBody })).status;
      };
      expect([await statusOf('{'), await statusOf(''), await statusOf(Buffer.from('{'))]).toEqual([400, 400, 400]);
      const body = await request().text();
      const latin = 'application/json; charset=latin1';
      expect([await statusOf(Buffer.from(body), latin), await statusOf(body, latin)]).toEqual([415, 200]);
      expect(errors).toEqual([]);
    });

    it('one that is lost is a 500, and onError gets the remedy', async () => {
      expect((await send(consume)).status).toBe(500);
      expect(errors).toEqual([READ]);
      const { fetch } = handlerOf();
      const read = request();
      await read.text();
      expect((await fetch(read)).status).toBe(500);
      expect(errors).toEqual([READ]);
    });
  },
);
