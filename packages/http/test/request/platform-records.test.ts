import type { SessionStore } from '@mcp-session/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { allAddresses } from '../support/addresses.ts';
import { openStore } from '../support/chaos-store.ts';
import { eventually, type Harness, type HarnessOptions, start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { initialize, type RawClient } from '../support/raw.ts';

const PRINCIPAL = 'https://issuer|alice';
const ALICE = { authorization: `Bearer ${PRINCIPAL}` };
const KIND = { kind: 'platform-session' };
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const INITIALIZED = { jsonrpc: '2.0', method: 'notifications/initialized' };

/** Each request has the platform's id in a header of its own. */
const platform = {
  tools: { echo: () => 'hello' },
  sessionIdOf: (request: Request) => request.headers.get('x-platform') ?? undefined,
};

interface Clocked extends Harness {
  /** Lets time pass. */
  pass(ms: number): void;
  /** A client of alice's that a platform names. */
  named(id: string): RawClient;
  records(): Promise<number>;
}

async function startClocked(
  line: (typeof lines)[number],
  { memory, ...options }: HarnessOptions = {},
): Promise<Clocked> {
  let now = Date.now();
  const harness = await start(line, { ...platform, ...options, memory: { ...memory, clock: () => now } });
  return {
    ...harness,
    pass: (ms) => (now += ms),
    named: (id) => harness.raw({ ...ALICE, 'x-platform': id }),
    records: () => harness.store.count(KIND),
  };
}

/** Begins a session and uses it. @returns Its id. */
async function begin(client: RawClient): Promise<string> {
  const begun = await client.post(initialize());
  expect(begun.status).toBe(200);
  expect((await client.post(INITIALIZED)).status).toBe(202);
  return begun.headers.get('mcp-session-id') ?? '';
}

async function call(client: RawClient, headers: Record<string, string | undefined> = {}): Promise<number> {
  const answer = await client.post(client.toolCall('echo'), headers);
  await answer.cancel();
  return answer.status;
}

describe.each(lines)("the record of a platform's id lives like its session, SDK $name", (line) => {
  it('rule 34: two minutes if the session is not used, and after its last use as long as the session', async () => {
    const { named, pass, records, store } = await startClocked(line);
    await named('unused').post(initialize());
    const used = named('used');
    await begin(used);
    expect(await records()).toBe(2);
    pass(2 * MINUTE_MS);
    expect(await records()).toBe(1);
    pass(DAY_MS - 3 * MINUTE_MS);
    expect(await call(used)).toBe(200);
    pass(DAY_MS - 1);
    expect([await records(), await store.count()]).toEqual([1, 1]);
    pass(1);
    expect([await records(), await store.count()]).toEqual([0, 0]);
  });

  it('rule 34: it is renewed by a client that sends the id of its session too, and by one that only listens', async () => {
    const { named, pass, store, records } = await startClocked(line, { sessionTtlMs: MINUTE_MS, keepAliveMs: 5 });
    const client = named('p');
    const own = { 'mcp-session-id': await begin(client) };
    for (let n = 0; n < 3; n++) {
      pass(MINUTE_MS - 1);
      expect(await call(client, own)).toBe(200);
    }
    pass(MINUTE_MS - 1);
    expect(await call(client)).toBe(200);
    const stream = await client.get(own);
    const [record] = (await store.list(KIND)).sessions;
    for (let n = 0; n < 3; n++) {
      const before = (await store.inspect(record?.id ?? ''))?.expiresAt ?? 0;
      pass(MINUTE_MS - 1);
      await eventually(async () => ((await store.inspect(record?.id ?? ''))?.expiresAt ?? 0) > before);
    }
    await stream.cancel();
    expect([await call(client), await records()]).toEqual([200, 1]);
  });

  it('rule 34: it ends with the session, however that ends', async () => {
    const { named, records, store, handler, another } = await startClocked(line);
    const client = named('p');
    await begin(client);
    expect((await client.delete()).status).toBe(204);
    expect(await records()).toBe(0);
    const own = { 'mcp-session-id': await begin(client), 'x-platform': undefined };
    expect((await client.delete(own)).status).toBe(204);
    expect(await records()).toBe(0);
    for (const id of ['p', 'q', 'r']) await begin(named(id));
    // On a node that does not have them in memory.
    const other = another();
    expect([await other.endAll({ principal: PRINCIPAL }), await records()]).toEqual([3, 0]);
    await begin(client);
    expect([await handler.endAll({ principal: PRINCIPAL }), await records()]).toEqual([1, 0]);
    // The application ends it, or its user is locked out from outside. The next request notices.
    await (await store.get(await begin(client), { principal: PRINCIPAL }))?.end();
    expect([await records(), await call(client), await records()]).toEqual([1, 404, 0]);
  });

  it('rule 34: of two sessions under one id, the end of the older one leaves the record', async () => {
    const { named, records } = await startClocked(line);
    const client = named('p');
    const older = { 'mcp-session-id': await begin(client) };
    const newer = { 'mcp-session-id': await begin(client) };
    expect([(await client.delete(older)).status, await records(), await call(client)]).toEqual([204, 1, 200]);
    expect([(await client.delete(newer)).status, await records(), await call(client)]).toEqual([204, 0, 404]);
  });

  it('rule 34: it names no principal, so that whatever ends the sessions of one leaves nothing that does', async () => {
    const { named, store } = await startClocked(line);
    await begin(named('p'));
    await store.endAll({ principal: PRINCIPAL });
    const { sessions } = await store.list(KIND);
    expect(sessions.map(({ principal }) => principal)).toEqual([null]);
    expect(JSON.stringify([sessions, sessions.map(({ metadata }) => metadata)])).not.toContain('alice');
  });

  it('rule 34: ended sessions take no place, however many a client begins', async () => {
    const { named, records } = await startClocked(line, { memory: { maxSessions: 4 }, maxSessionsPerPrincipal: 1 });
    for (let n = 0; n < 6; n++) {
      const client = named(`p${n}`);
      await begin(client);
      expect((await client.delete()).status).toBe(204);
    }
    expect(await records()).toBe(0);
  });

  it('rule 34: the oldest session that makes room takes its record along, that of the same id too', async () => {
    const { named, records, store } = await startClocked(line, {
      maxSessionsPerPrincipal: 1,
      onSessionLimit: 'end-oldest',
    });
    for (const id of ['p', 'p', 'q', 'p']) {
      const client = named(id);
      await begin(client);
      expect([await call(client), await records(), await store.count()]).toEqual([200, 1, 1]);
    }
    expect(await call(named('q'))).toBe(404);
  });

  it('rule 34: and so does that of an address', async () => {
    const { raw, records } = await startClocked(line, {
      maxSessionsPerPrincipal: 1,
      onSessionLimit: 'end-oldest',
      addressOf: () => '192.0.2.1',
    });
    for (const id of ['p', 'q']) {
      const client = raw({ 'x-platform': id.repeat(32) });
      await begin(client);
      expect([await call(client), await records()]).toEqual([200, 1]);
    }
  });

  describe.each(allAddresses)('on %s', { timeout: 60_000 }, (_, newAddress) => {
    /** A store whose time passes when the test says so. */
    async function open(): Promise<{ readonly store: SessionStore; pass(ms: number): void }> {
      let now = Date.now();
      const store = await openStore(await newAddress(), { clock: () => now, sweep: false });
      onTestFinished(() => store.close());
      return { store, pass: (ms) => (now += ms) };
    }

    it('rule 34: a client that begins anew after DELETE, endAll or expiry is served at once', async () => {
      const { store, pass } = await open();
      const { raw, handler, errors } = await start(line, { ...platform, store });
      const client = raw({ ...ALICE, 'x-platform': 'p' });
      const ends = [
        async () => void (await client.delete()),
        async () => void (await handler.endAll({ principal: PRINCIPAL })),
        async () => pass(DAY_MS + MINUTE_MS),
        async () => pass(DAY_MS + MINUTE_MS),
      ];
      await begin(client);
      for (const end of ends) {
        await end();
        expect([await store.count(), await store.count(KIND)]).toEqual([0, 0]);
        await begin(client);
        expect(await call(client)).toBe(200);
      }
      expect(errors).toEqual([]);
    });
  });
});
