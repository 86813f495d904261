import { describe, expect, it } from 'vitest';
import { AddressCounts } from '../../src/lib/request/address-counts.ts';
import { start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { initialize, type RawClient, type RawResponse } from '../support/raw.ts';
import { startNodes } from '../support/nodes.ts';

const ALICE = { authorization: 'Bearer https://issuer|alice' };
const BOB = { authorization: 'Bearer https://issuer|bob' };
const alice = { principal: 'https://issuer|alice' };

/** Begins a session. @returns Its client, or the refusal. */
async function begin(client: RawClient): Promise<RawResponse | RawClient> {
  const response = await client.post(initialize());
  if (response.status !== 200) return response;
  client.headers['mcp-session-id'] = response.headers.get('mcp-session-id') ?? '';
  await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' });
  return client;
}

const isLive = async (client: RawClient | RawResponse | undefined): Promise<boolean> =>
  (await (client as RawClient).callTool('echo')).status === 200;

describe.each(lines)('limits of sessions, SDK $name', (line) => {
  it('rule 36: a session of a principal too many is a 429 with Retry-After, and leaves nothing behind', async () => {
    const { raw, store } = await start(line, { maxSessionsPerPrincipal: 2 });
    const first = await begin(raw({ ...ALICE }));
    await begin(raw({ ...ALICE }));
    const refused = (await begin(raw({ ...ALICE }))) as RawResponse;
    expect([refused.status, refused.headers.get('retry-after'), refused.headers.get('mcp-session-id')]).toEqual([
      429,
      '60',
      null,
    ]);
    expect((await refused.error()).message).toBe('Too Many Requests: user has 2 sessions');
    expect(await isLive(await begin(raw({ ...BOB })))).toBe(true);
    for (let n = 0; n < 3; n++) expect(await isLive(await begin(raw()))).toBe(true);
    expect(await store.count(alice)).toBe(2);
    await (first as RawClient).delete();
    expect(await isLive(await begin(raw({ ...ALICE })))).toBe(true);
  });

  it.each(['refuse', 'end-oldest'] as const)(
    'rule 36: the limit holds over nodes that begin sessions at once: %s',
    async (onSessionLimit) => {
      const nodes = await startNodes(line, 2, { maxSessionsPerPrincipal: 3, onSessionLimit });
      const [node] = nodes;
      const all = await Promise.all(
        Array.from({ length: 12 }, (_, n) => begin(nodes[n % 2]?.raw({ ...ALICE }) as RawClient)),
      );
      expect(await node?.store.count(alice)).toBeLessThanOrEqual(3);
      const statuses = new Set(all.map((each) => ('status' in each ? each.status : 200)));
      // One that was just begun may be the oldest to another node.
      expect([200, 429]).toEqual(expect.arrayContaining([...statuses]));
      for (let n = 0; n < 3; n++) await begin(nodes[n % 2]?.raw({ ...ALICE }) as RawClient);
      expect(await node?.store.count(alice)).toBe(3);
      expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
    },
  );

  it('with end-oldest, the session that was not used for the longest time goes', async () => {
    let now = 1_000_000;
    const { raw } = await start(line, {
      maxSessionsPerPrincipal: 3,
      onSessionLimit: 'end-oldest',
      memory: { clock: () => now },
    });
    const begun: (RawClient | RawResponse)[] = [];
    for (let n = 0; n < 3; n++) {
      now += 60_000;
      begun.push(await begin(raw({ ...ALICE })));
    }
    now += 60_000;
    expect(await isLive(begun[0])).toBe(true);
    const newest = await begin(raw({ ...ALICE }));
    expect(await Promise.all([begun[0], begun[1], begun[2], newest].map(isLive))).toEqual([true, false, true, true]);
  });

  it('sessions of nobody are counted by address, in each process for itself', async () => {
    const addressOf = (request: Request): string | undefined => request.headers.get('x-address') ?? undefined;
    const { raw, another, store } = await start(line, { maxSessionsPerPrincipal: 2, addressOf });
    const from = (address: string) => begin(raw({ 'x-address': address }));
    const statuses = async (addresses: readonly string[]): Promise<number[]> =>
      (await Promise.all(addresses.map(from))).map((each) => ('status' in each ? each.status : 200));
    // At once: a flood does not wait until the first one has begun.
    const flood = await statuses(Array<string>(6).fill('a'));
    expect(flood.toSorted((one, other) => one - other)).toEqual([200, 200, 429, 429, 429, 429]);
    expect(await statuses(['b', 'b', 'b'])).toEqual([200, 200, 429]);
    expect(await store.count()).toBe(4);
    another({ onSessionLimit: 'end-oldest' });
    const begun = [await from('a'), await from('a'), await from('a')];
    expect(await Promise.all(begun.map(isLive))).toEqual([false, true, true]);
  });

  it('a session that could not be begun does not count', async () => {
    let fails = true;
    const { raw } = await start(line, {
      maxSessionsPerPrincipal: 1,
      addressOf: () => 'a',
      serve: () => {
        if (fails) throw new Error('No server today');
        return { tools: {} };
      },
    });
    expect([
      ((await begin(raw())) as RawResponse).status,
      ((await begin(raw({ ...ALICE }))) as RawResponse).status,
    ]).toEqual([500, 500]);
    fails = false;
    expect([await isLive(await begin(raw())), await isLive(await begin(raw({ ...ALICE })))]).toEqual([true, true]);
  });

  it('onSessionCreate may refuse a session with a status', async () => {
    const seen: unknown[] = [];
    const { raw, store, errors } = await start(line, {
      onSessionCreate: async ({ principal, params, request, authInfo }) => {
        seen.push([principal, params['clientInfo'], authInfo?.clientId]);
        const status = request.headers.get('x-status');
        if (status === null) return undefined;
        if (status === 'throw') throw new Error('not today');
        return { status: Number(status), message: 'Come back later', retryAfterSeconds: 7 };
      },
    });
    expect(await isLive(await begin(raw({ ...ALICE })))).toBe(true);
    expect(seen).toEqual([['https://issuer|alice', { name: 'raw', version: '1' }, 'app']]);
    const refused = (await begin(raw({ 'x-status': '403' }))) as RawResponse;
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([403, '7']);
    expect((await refused.error()).message).toBe('Come back later');
    expect([errors, await store.count()]).toEqual([[], 1]);
    for (const status of ['200', 'throw', 'x']) {
      expect(((await begin(raw({ 'x-status': status }))) as RawResponse).status).toBe(500);
    }
    expect(errors.map(String)).toEqual([
      expect.stringContaining('with the status 200; return { status } with 400 to 599'),
      'Error: not today',
      expect.stringContaining('with the status NaN'),
    ]);
  });

  it('only initialize lists sessions, and only where there is a limit', async () => {
    const calls: string[] = [];
    const memory = { observe: ({ name }: { readonly name: string }) => void calls.push(name) };
    for (const [options, lists] of [
      [{}, 0],
      [{ maxSessionsPerPrincipal: 5 }, 2],
      [{ maxSessionsPerPrincipal: 5, onSessionLimit: 'end-oldest' }, 1],
    ] as const) {
      const { raw } = await start(line, { memory, ...options });
      calls.splice(0);
      expect(await isLive(await begin(raw({ ...ALICE })))).toBe(true);
      expect(calls.filter((name) => name === 'listSessions')).toHaveLength(lists);
      expect(calls).not.toContain('countSessions');
    }
  });
});

it('an address counts for an hour, and few addresses are remembered', () => {
  let now = 0;
  const counts = new AddressCounts(() => now);
  counts.add('a');
  now = 3_599_999;
  expect(counts.of('a')).toHaveLength(1);
  now = 3_600_000;
  expect(counts.of('a')).toHaveLength(0);
  counts.add('a');
  for (let n = 0; n < 10_000; n++) counts.add(`b${n}`);
  expect([counts.of('a').length, counts.of('b0').length]).toEqual([0, 1]);
});
