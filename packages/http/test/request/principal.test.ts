import { describe, expect, it } from 'vitest';
import { defaultPrincipal } from '../../src/lib/request/principal.ts';
import { start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { initialize } from '../support/raw.ts';

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe.each(lines)('principals, SDK $name', (line) => {
  it("rule 6: a session is bound to issuer and subject, not to the client or the token's bytes", async () => {
    const { raw, store } = await start(line);
    const alice = raw(bearer('https://issuer|alice|app-1'));
    const id = await alice.begin();
    expect((await store.get(id, { principal: 'https://issuer|alice' }))?.principal).toBe('https://issuer|alice');
    const refreshed = raw({ ...bearer('https://issuer|alice|app-2'), 'mcp-session-id': id });
    expect((await refreshed.callTool('x')).status).toBe(200);
  });

  it('rule 7: every request is checked: another identity, another issuer or none at all finds no session', async () => {
    const { raw, store } = await start(line);
    const alice = raw(bearer('https://issuer|alice|app'));
    const id = await alice.begin();
    const cursor = (await (await alice.callTool('x')).sse.next())?.id ?? '';
    for (const headers of [bearer('https://issuer|mallory|app'), bearer('https://other|alice|app'), {}]) {
      const stranger = raw({ ...headers, 'mcp-session-id': id });
      const responses = [
        await stranger.callTool('x'),
        await stranger.get(),
        await stranger.get({ 'last-event-id': cursor }),
        await stranger.delete(),
        await stranger.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }),
      ];
      expect(responses.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    }
    expect(await store.get(id, { principal: 'https://issuer|alice' })).toBeDefined();
    expect((await alice.callTool('x')).status).toBe(200);
  });

  it('an authenticated request without a user is a 500 that says what to configure', async () => {
    const { raw, store, errors } = await start(line);
    for (const token of ['', 'https://issuer', '|alice', 'https://issuer||app']) {
      const response = await raw(bearer(token)).post(initialize());
      expect(response.status).toBe(500);
      // How the server is set up is nothing for clients.
      expect((await response.error()).message).toBe('Internal server error');
    }
    expect(errors.map(String)).toEqual(
      Array(4).fill(expect.stringMatching(/iss and sub.*principal option of createSessionHandler/)),
    );
    expect(await store.count()).toBe(0);
  });

  it.each([
    ['a number', 42, 'a number'],
    ['a number that is none', Number.NaN, 'a number'],
    ['a bigint', 7n, 'a bigint'],
    ['an empty text', '', 'an empty string'],
    ['false', false, 'a boolean'],
    ['a list', ['alice'], 'an array'],
    ['an object', { id: 'alice' }, 'an object'],
    ['a text in an object', new String('alice'), 'an object of class String'],
    ['a string with a zero byte', 'al\0ice', 'give a string of 1 to'],
    ['a string that is too long', 'a'.repeat(1_025), 'give a string of 1 to'],
    ['a string that is not well-formed', '\ud800', 'give a string of 1 to'],
  ])(
    "an option principal that returns %s is a 500: no session is made or found, and onError gets the value's type",
    async (_, given, words) => {
      for (const principal of [() => given, async () => given] as (() => never)[]) {
        const { raw, store, errors } = await start(line, { principal });
        const { id } = await store.create({ protocol: { protocolVersion: '2025-11-25' } });
        const client = raw();
        const responses = [
          await client.post(initialize()),
          await client.callTool('x'),
          await client.post(client.toolCall('x'), { 'mcp-session-id': id }),
          await client.get({ 'mcp-session-id': id }),
          await client.delete({ 'mcp-session-id': id }),
        ];
        expect(responses.map(({ status }) => status)).toEqual([500, 400, 500, 500, 500]);
        expect(await store.count()).toBe(1);
        expect(errors.map(String)).toEqual(Array(4).fill(expect.stringContaining(words)));
      }
    },
  );

  it('an anonymous request has no principal only if the option returns null or undefined for a request without a token', async () => {
    for (const principal of [() => null, () => undefined, async () => null]) {
      const { raw, errors } = await start(line, { principal: principal as () => null });
      expect((await raw().post(initialize())).status).toBe(200);
      expect((await raw(bearer('x')).post(initialize())).status).toBe(500);
      expect(errors).toHaveLength(1);
    }
  });

  it('the option principal sees the token and may not turn a verified identity into nobody', async () => {
    const tell = (auth: { readonly token: string } | undefined): string | undefined =>
      auth?.token.match(/tenant-\d+/)?.[0];
    const { raw, store } = await start(line, { principal: tell });
    const id = await raw(bearer('tenant-7')).begin();
    expect((await store.get(id, { principal: 'tenant-7' }))?.principal).toBe('tenant-7');
    expect((await raw(bearer('nobody')).post(initialize())).status).toBe(500);
    expect((await raw().post(initialize())).status).toBe(200);
  });
});

describe('the default principal', () => {
  it('differs for any two pairs of issuer and subject', () => {
    const pairs = [
      ['a', 'b|c'],
      ['a|b', 'c'],
      ['a%7Cb', 'c'],
      ['a%257Cb', 'c'],
    ] as const;
    const principals = pairs.map(([iss, sub]) => defaultPrincipal({ extra: { iss, sub } }));
    expect(new Set(principals).size).toBe(pairs.length);
  });

  it('needs both issuer and subject, and is never the client id', () => {
    expect(defaultPrincipal({ extra: { issuer: 'i', subject: 's' } })).toBe('i|s');
    for (const extra of [
      undefined,
      {},
      { iss: 'i' },
      { sub: 's' },
      { iss: 1, sub: 's' },
      { iss: 'i', client_id: 'c' },
    ]) {
      expect(defaultPrincipal({ extra })).toBeUndefined();
    }
  });
});
