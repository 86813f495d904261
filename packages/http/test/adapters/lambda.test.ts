import { createMemoryStore } from '@mcp-session/core/memory';
import { requireBearerAuth } from '@modelcontextprotocol/server';
import type {
  APIGatewayProxyEvent,
  APIGatewayProxyEventV2,
  APIGatewayProxyStructuredResultV2,
  Context,
  LambdaFunctionURLEvent,
} from 'aws-lambda';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, expectTypeOf, it, onTestFinished } from 'vitest';
import { type FetchHandler, type LambdaEvent, toLambdaHandler, toLambdaStreamHandler } from '../../src/lambda.ts';
import { expectServed, handlerOf, verifyV2 } from '../support/adapter.ts';
import { gate } from '../support/harness.ts';
import { functionUrlEvent, installRuntime, restApiEvent, startGateway } from '../support/lambda.ts';
import type { TestAuth, Tool } from '../support/line.ts';
import { RawClient } from '../support/raw.ts';
import { v2 } from '../support/v2.ts';

const doors = [
  ['a function URL, or an HTTP API', functionUrlEvent],
  ['a REST API', restApiEvent],
] as const;
const authenticate = requireBearerAuth({ verifier: { verifyAccessToken: verifyV2 } });
const headers = { authorization: 'Bearer ada' };

/** Reports progress so many times. */
const count: Tool = async ({ to, every }, { progress }) => {
  for (let n = 1; n <= Number(to); n++) {
    await progress(n);
    await pause(Number(every));
  }
  return 'counted';
};

const numbers = (to: number): number[] => Array.from({ length: to }, (_, index) => index + 1);

const modes = [
  [
    'whole answers',
    (handler: FetchHandler<TestAuth>, maxStreamMs = 5_000) => toLambdaHandler(handler, { authenticate, maxStreamMs }),
  ],
  ['streams', (handler: FetchHandler<TestAuth>) => toLambdaStreamHandler(handler, { authenticate })],
] as const;

describe.each(doors)('AWS Lambda behind %s', (_door, toEvent) => {
  describe.each(modes)('%s', (_mode, toFunction) => {
    it('a real client is served, and another user gets 404', async () => {
      installRuntime();
      const main = toFunction(await handlerOf());
      const { url, failures } = await startGateway({ toEvent, functionOf: () => main });
      await expectServed(url);
      expect(failures).toEqual([]);
    });

    it('status, headers, cookies and query pass both ways; an event that is no request is refused', async () => {
      installRuntime();
      const seen: unknown[] = [];
      const main = toFunction({
        fetch: async (sent, options) => {
          seen.push(sent.method, new URL(sent.url).search, sent.headers.get('cookie'), options?.authInfo?.token);
          seen.push(sent.headers.get('accept-language'), await sent.text());
          const answer = new Headers({ 'x-a': '1' });
          for (const cookie of ['b=2; Secure', 'c=3, four']) answer.append('set-cookie', cookie);
          // Between the two bytes of a letter.
          const [first, ...rest] = new TextEncoder().encode('ä, text');
          return new Response(ReadableStream.from([Uint8Array.of(first ?? 0), Uint8Array.from(rest)]), {
            status: 418,
            headers: answer,
          });
        },
      });
      const { url } = await startGateway({ toEvent, functionOf: () => main });
      const sent = request(new URL('?q=1&q=2', url), {
        method: 'PUT',
        headers: { ...headers, cookie: 'd=4; e=5', 'accept-language': ['de', 'en'] },
      });
      const [response] = (await once(sent.end('body, ö'), 'response')) as [IncomingMessage];
      expect([response.statusCode, response.headers['x-a'], await text(response)]).toEqual([418, '1', 'ä, text']);
      expect(response.headers['set-cookie']).toEqual(['b=2; Secure', 'c=3, four']);
      expect(seen).toEqual(['PUT', '?q=1&q=2', 'd=4; e=5', 'ada', 'de, en', 'body, ö']);
      // A method that `Request` refuses.
      expect((await new RawClient(url, headers).send('TRACK', {}).catch(() => ({ status: 400 }))).status).toBe(400);
    });

    it('a handler that throws is a 500; a token that cannot be checked fails the invocation', async () => {
      installRuntime();
      const broken = toFunction({ fetch: () => Promise.reject(new Error('secret')) });
      const unreachable = new Error('No keys');
      const unchecked = toLambdaHandler(await handlerOf(), { authenticate: () => Promise.reject(unreachable) });
      const { url, failures } = await startGateway({
        toEvent,
        functionOf: (invocation) => (invocation === 0 ? broken : unchecked),
      });
      const failed = await fetch(url, { headers });
      expect([failed.status, (await failed.text()).includes('secret')]).toEqual([500, false]);
      expect((await fetch(url, { headers })).status).toBe(502);
      expect(failures).toEqual([unreachable]);
    });

    it('a stream ends before the function does, and its client gets the rest from another environment, once', async () => {
      installRuntime();
      const store = await createMemoryStore();
      const environments = await Promise.all(
        [1, 2].map(async () => toFunction(await handlerOf({ store, tools: { count } }), 200)),
      );
      const { url, events, failures } = await startGateway({
        toEvent,
        functionOf: (invocation) => environments[invocation % 2],
        // A second is kept back for the end.
        timeoutMs: 1_300,
      });
      const client = await v2.connect(url, { headers });
      onTestFinished(() => client.close());
      const got: number[] = [];
      expect(await client.call('count', { to: 30, every: 50 }, { onProgress: (n) => got.push(n) })).toBe('counted');
      expect(got).toEqual(numbers(30));
      const gets = events.filter((event) => methodOf(event) === 'GET');
      // The standalone stream and that of the call, of which none was open for longer than 300 ms.
      expect(gets.length).toBeGreaterThan(5);
      expect(failures).toEqual([]);
    });
  });

  it('messages are streamed at once, and the streams of listening clients stay open', async () => {
    installRuntime();
    const passed = gate();
    const tools = {
      wait: (async (_, { progress }) => {
        await progress(1);
        await passed.passed;
        return 'done';
      }) satisfies Tool,
    };
    const handler = await handlerOf({ tools });
    const main = toLambdaStreamHandler<TestAuth>(handler, { authenticate });
    const { url, events } = await startGateway({ toEvent, functionOf: () => main });
    const client = await v2.connect(url, { headers });
    onTestFinished(() => client.close());
    // The tool goes on when its progress has arrived.
    expect(await client.call('wait', {}, { onProgress: () => passed.open() })).toBe('done');
    const news = { method: 'notifications/message', params: { level: 'info', data: 'news' } };
    expect(await handler.broadcast(news)).toBe(1);
    await client.until(({ params }) => params['data'] === 'news');
    expect(events.filter((event) => methodOf(event) === 'GET')).toHaveLength(1);
  });

  it('a stream ends cleanly after maxStreamMs', async () => {
    installRuntime();
    const cancelled = gate();
    const main = toLambdaStreamHandler<unknown>(
      { fetch: async () => new Response(new ReadableStream({ cancel: () => cancelled.open() })) },
      { maxStreamMs: 1_000 },
    );
    const { url } = await startGateway({ toEvent, functionOf: () => main });
    const response = await fetch(url);
    expect(await response.text()).toBe('');
    await cancelled.passed;
  });

  it('a silent stream sends its head', async () => {
    installRuntime();
    const headSeen = gate();
    const main = toLambdaStreamHandler<unknown>({
      fetch: async () =>
        new Response(
          new ReadableStream({
            start: async (controller) => {
              await headSeen.passed;
              controller.enqueue(new TextEncoder().encode('late'));
              controller.close();
            },
          }),
        ),
    });
    const { url } = await startGateway({ toEvent, functionOf: () => main });
    // The message is written only once the head was seen here.
    const response = await fetch(url);
    headSeen.open();
    expect(await response.text()).toBe('late');
  });

  it('a stream that fails is broken off, so that it does not look complete', async () => {
    installRuntime();
    const begun = gate();
    const main = toLambdaStreamHandler<unknown>({
      fetch: async () =>
        new Response(
          new ReadableStream({
            start: async (controller) => {
              controller.enqueue(new TextEncoder().encode('half'));
              await begun.passed;
              controller.error(new Error('broken'));
            },
          }),
        ),
    });
    const { url, failures } = await startGateway({ toEvent, functionOf: () => main });
    const response = await fetch(url);
    begun.open();
    await expect(response.text()).rejects.toThrow('terminated');
    expect(failures).toEqual([new Error('broken')]);
  });
});

it('events and results fit the types of @types/aws-lambda', async () => {
  const main = toLambdaHandler(await handlerOf());
  expectTypeOf<APIGatewayProxyEventV2>().toExtend<LambdaEvent>();
  expectTypeOf<LambdaFunctionURLEvent>().toExtend<LambdaEvent>();
  expectTypeOf<APIGatewayProxyEvent>().toExtend<LambdaEvent>();
  expectTypeOf<Context>().toExtend<Parameters<typeof main>[1]>();
  expectTypeOf<Awaited<ReturnType<typeof main>>>().toExtend<APIGatewayProxyStructuredResultV2>();
  expect(main).toBeTypeOf('function');
});

it("outside of Lambda's runtime, the streaming handler says that it needs the runtime", async () => {
  const handler = await handlerOf();
  expect(() => toLambdaStreamHandler(handler)).toThrow('Global awslambda is missing');
});

function methodOf(event: LambdaEvent): string {
  return 'httpMethod' in event ? event.httpMethod : event.requestContext.http.method;
}
