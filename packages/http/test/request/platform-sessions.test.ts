import { describe, expect, it } from 'vitest';
import { start } from '../support/harness.ts';
import type { Json } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { initialize, type RawClient } from '../support/raw.ts';

const ECHO = { echo: ({ text }: Json) => String(text) };
const PLATFORM = 'platform-0123456789-0123456789-0123';
const DAY_MS = 86_400_000;

/** As Bedrock AgentCore does: each request has the platform's id in the header of the session. */
const agentCore = { sessionIdOf: (request: Request) => request.headers.get('mcp-session-id') ?? undefined };
/** As a gateway may do: the id has a header of its own. */
const gateway = { sessionIdOf: (request: Request) => request.headers.get('x-platform-session') ?? undefined };

const ping = { jsonrpc: '2.0', id: 'p', method: 'ping' };

async function call(client: RawClient, headers: Record<string, string>): Promise<number> {
  const response = await client.post(client.toolCall('echo', { text: 'hello' }), headers);
  if (response.status === 200) expect(JSON.stringify(await response.sse.rest())).toContain('hello');
  return response.status;
}

describe.each(lines)('a platform with a session id of its own, SDK $name', (line) => {
  it('rule 34: the id leads to the session that was begun last under it, on any node, and never becomes an id', async () => {
    const { raw, another, store } = await start(line, { tools: ECHO, ...agentCore });
    const client = raw({ 'mcp-session-id': PLATFORM });
    expect(await (await client.post(ping)).json()).toEqual({ jsonrpc: '2.0', id: 'p', result: {} });
    expect([await call(client, {}), (await client.get()).status, (await client.delete()).status]).toEqual([
      404, 404, 404,
    ]);
    const first = (await client.post(initialize())).headers.get('mcp-session-id');
    expect(first).not.toBe(PLATFORM);
    expect((await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })).status).toBe(202);
    expect(await call(client, {})).toBe(200);
    another();
    expect(await call(client, {})).toBe(200);
    const second = (await client.post(initialize())).headers.get('mcp-session-id') ?? '';
    expect(second).not.toBe(first);
    const listening = await client.get();
    await (await store.get(second))?.events.append('_GET_stream', { jsonrpc: '2.0', method: 'notifications/x' });
    expect((await listening.sse.message()).message).toMatchObject({ method: 'notifications/x' });
    await listening.cancel();
    // The platform may pass on the ids that clients got.
    expect([await call(client, { 'mcp-session-id': first ?? '' }), await store.count()]).toEqual([200, 2]);
    expect((await client.delete()).status).toBe(204);
    expect(await call(client, {})).toBe(404);
    expect((await client.post(initialize())).status).toBe(200);
    expect(await call(client, {})).toBe(200);
  });

  it("rule 34: the id leads to its own principal's session only", async () => {
    const { raw } = await start(line, { tools: ECHO, ...gateway });
    const alice = raw({ 'x-platform-session': 'p1', authorization: 'Bearer https://issuer|alice' });
    const bob = raw({ 'x-platform-session': 'p1', authorization: 'Bearer https://issuer|bob' });
    const begun = await alice.post(initialize());
    expect([await call(alice, {}), await call(bob, {})]).toEqual([200, 404]);
    const id = { 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '' };
    expect([await call(alice, id), await call(bob, id)]).toEqual([200, 404]);
    expect((await bob.post(initialize())).status).toBe(200);
    expect([await call(alice, {}), await call(bob, {}), await call(bob, id)]).toEqual([200, 200, 200]);
  });

  it('of nobody, an id that can be guessed leads nowhere', async () => {
    const { raw, store, errors } = await start(line, { tools: ECHO, ...gateway });
    const short = raw({ 'x-platform-session': 'x'.repeat(31) });
    expect([(await short.post(initialize())).status, await call(short, {}), await store.count()]).toEqual([
      400, 400, 0,
    ]);
    const long = raw({ 'x-platform-session': 'x'.repeat(32) });
    expect([(await long.post(initialize())).status, await call(long, {})]).toEqual([200, 200]);
    expect(errors).toEqual([]);
  });

  it('an id that is no string is a fault of the option', async () => {
    const { raw, errors } = await start(line, { sessionIdOf: () => 7 as never });
    expect((await raw().post(initialize())).status).toBe(500);
    expect(String(errors[0])).toBe(
      'TypeError: Option sessionIdOf returned a number; return a string, or undefined for none',
    );
  });

  it('only requests that a platform names read its record', async () => {
    const calls: string[] = [];
    const { raw } = await start(line, {
      tools: ECHO,
      ...gateway,
      memory: { observe: ({ name }) => void calls.push(name) },
    });
    const client = raw();
    await client.begin();
    const reads = async (headers: Record<string, string | undefined>): Promise<number> => {
      calls.splice(0);
      expect((await client.post(client.toolCall('echo'), headers)).status).toBe(200);
      return calls.filter((name) => name === 'readSession').length;
    };
    expect([await reads({}), await reads({ 'x-platform-session': PLATFORM })]).toEqual([1, 1]);
    await client.post(initialize(), { 'x-platform-session': PLATFORM });
    expect(await reads({ 'x-platform-session': PLATFORM, 'mcp-session-id': undefined })).toBe(2);
  });
});

describe.each(lines)('how long a session lives, SDK $name', (line) => {
  /** Whether a session still lives after each of some pauses, with a call after each. */
  async function lives(options: object, pauses: readonly number[], isInitialized = true): Promise<boolean[]> {
    let now = 1_000_000;
    const { memory, ...others } = options as { memory?: object };
    const { raw } = await start(line, { tools: ECHO, ...others, memory: { ...memory, clock: () => now } });
    const client = raw();
    if (isInitialized) await client.begin();
    else {
      const begun = await client.post(initialize());
      client.headers['mcp-session-id'] = begun.headers.get('mcp-session-id') ?? '';
    }
    const seen: boolean[] = [];
    for (const ms of pauses) {
      now += ms;
      seen.push((await call(client, {})) === 200);
    }
    return seen;
  }

  it('24 hours after its last use, whatever the default of the store', async () => {
    expect(await lives({}, [31 * 60_000, DAY_MS - 1, DAY_MS])).toEqual([true, true, false]);
  });

  it('as long as the option of the store says, or that of the handler', async () => {
    const memory = { ttlMs: 60_000 };
    expect(await lives({ memory }, [59_999, 60_000])).toEqual([true, false]);
    expect(await lives({ memory, sessionTtlMs: 600_000 }, [599_999, 600_000])).toEqual([true, false]);
    expect(await lives({ sessionTtlMs: 5_000 }, [4_999, 5_000])).toEqual([true, false]);
  });

  it('two minutes if its client does not use it', async () => {
    expect(await lives({}, [120_000], false)).toEqual([false]);
    expect(await lives({ uninitializedTtlMs: 5_000 }, [5_000], false)).toEqual([false]);
    expect(await lives({ sessionTtlMs: 5_000 }, [5_000], false)).toEqual([false]);
    // A client that leaves `notifications/initialized` out uses it with its first request.
    expect(await lives({}, [119_999, DAY_MS - 1, DAY_MS], false)).toEqual([true, true, false]);
  });
});
