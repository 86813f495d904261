import { describe, expect, it } from 'vitest';
import { start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { initialize } from '../support/raw.ts';

const echo = { echo: ({ text }: Record<string, unknown>) => String(text) };
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const NOT_FOUND = { jsonrpc: '2.0', error: { code: -32_001, message: 'Session not found' }, id: null };

describe.each(lines)('requests, SDK $name', (line) => {
  it('rule 1: a session id is a UUID v7, or what generateSessionId makes', async () => {
    const { raw } = await start(line);
    expect(await raw().begin()).toMatch(UUID_V7);
    const own = await start(line, { generateSessionId: () => '!Own~id|{}' });
    const client = own.raw();
    expect(await client.begin()).toBe('!Own~id|{}');
    expect((await client.callTool('none')).status).toBe(200);
  });

  it('rule 2: only the answer to initialize carries the session id', async () => {
    const { raw } = await start(line, { tools: echo });
    const client = raw();
    const response = await client.post(initialize());
    expect(response.status).toBe(200);
    const id = response.headers.get('mcp-session-id') ?? '';
    expect(await response.json()).toMatchObject({
      id: 'init',
      result: { protocolVersion: '2025-11-25', serverInfo: { name: 'test' } },
    });
    for (const other of [
      await client.post(client.toolCall('echo'), { 'mcp-session-id': id }),
      await client.get({ 'mcp-session-id': id }),
    ]) {
      expect(other.status).toBe(200);
      expect(other.headers.get('mcp-session-id')).toBeNull();
      await other.cancel();
    }
  });

  it('rule 2: no session is made from an id that a client brings', async () => {
    const { raw, store } = await start(line);
    const client = raw();
    const ids = ['0190a8a0-0000-7000-8000-000000000000', 'x'.repeat(256), await raw().begin()];
    const foreign = raw({ authorization: 'Bearer https://issuer|alice' });
    ids.push(await foreign.begin());
    for (const id of ids) {
      const response = await client.post(initialize(), { 'mcp-session-id': id });
      expect([id, response.status]).toEqual([id, 200]);
      const made = response.headers.get('mcp-session-id') ?? '';
      expect(made).toMatch(UUID_V7);
      expect(ids).not.toContain(made);
      expect((await client.post(client.toolCall('echo'), { 'mcp-session-id': made })).status).toBe(200);
    }
    expect(await store.count()).toBe(6);
    // A session that is begun anew with its own id goes on.
    expect((await raw({ 'mcp-session-id': ids[2] ?? '' }).callTool('echo')).status).toBe(200);
    expect((await foreign.callTool('echo')).status).toBe(200);
  });

  it('rule 2: a client of the SDK begins anew with the id of a session that has ended', async () => {
    const { url, store, raw } = await start(line, { tools: echo });
    const stale = raw();
    const id = await stale.begin();
    await stale.delete();
    const client = await line.connect(url, {
      fetch: (input, init) => {
        const headers = new Headers(init?.headers);
        if (!headers.has('mcp-session-id')) headers.set('mcp-session-id', id);
        return fetch(input, { ...init, headers });
      },
    });
    expect([await client.call('echo', { text: 'again' }).catch(String), client.sessionId === id]).toEqual([
      'again',
      false,
    ]);
    expect(await store.count()).toBe(1);
    await client.close();
  });

  it('rule 3: a request without an id is a 400 for every method', async () => {
    const { raw } = await start(line);
    const client = raw();
    for (const response of [await client.callTool('echo'), await client.get(), await client.delete()]) {
      expect(response.status).toBe(400);
      expect((await response.error()).message).toContain('Mcp-Session-Id header is required');
    }
  });

  it("rule 3: ids that are unknown, malformed, expired, ended, another principal's or of another kind are 404 in the same words", async () => {
    let now = 1_000_000;
    const { raw, store } = await start(line, { memory: { clock: () => now, ttlMs: 10_000 } });
    const expired = await raw().begin();
    now += 10_000;
    const ended = raw();
    const endedId = await ended.begin();
    expect((await ended.delete()).status).toBe(204);
    const foreignId = await raw({ authorization: 'Bearer https://issuer|alice' }).begin();
    const { id: otherKind } = await store.create({ kind: 'handle' });
    const { id: notOurs } = await store.create();
    for (const id of ['unknown', 'x'.repeat(256), expired, endedId, foreignId, otherKind, notOurs]) {
      const client = raw({ 'mcp-session-id': id });
      for (const response of [await client.callTool('echo'), await client.get(), await client.delete()]) {
        expect(response.status).toBe(404);
        expect(await response.json()).toEqual(NOT_FOUND);
      }
    }
  });

  it('rule 4: an ended session is 404 at once, on the node that holds it and on others', async () => {
    const { raw, store, another } = await start(line, { tools: echo });
    const client = raw();
    const session = await store.get(await client.begin());
    expect((await client.callTool('echo')).status).toBe(200);
    await session?.end();
    expect((await client.callTool('echo')).status).toBe(404);
    another();
    expect((await client.callTool('echo')).status).toBe(404);
  });

  it('rule 5: DELETE ends the session with 204, then 404', async () => {
    const { raw, store, handler } = await start(line);
    const client = raw();
    const id = await client.begin();
    expect(handler.localSessions).toBe(1);
    expect((await client.delete()).status).toBe(204);
    expect(handler.localSessions).toBe(0);
    expect(await store.get(id)).toBeUndefined();
    expect((await client.delete()).status).toBe(404);
  });

  it("rule 9: without a header the session's own version counts; an unsupported version is 400", async () => {
    const { raw } = await start(line, { tools: echo });
    const client = raw();
    await client.begin('2025-03-26');
    delete client.headers['mcp-protocol-version'];
    // No priming for a session of 2025-03-26, and a batch, which later revisions have not.
    const batch = await client.post([client.toolCall('echo', { text: 'a' }), client.toolCall('echo', { text: 'b' })]);
    expect(batch.status).toBe(200);
    expect((await batch.sse.rest()).every(({ data }) => data !== '')).toBe(true);
    for (const version of ['1999-01-01', 'x'.repeat(5_000)]) {
      client.headers['mcp-protocol-version'] = version;
      for (const response of [await client.callTool('echo'), await client.get(), await client.delete()]) {
        expect(response.status).toBe(400);
        expect((await response.error()).message).toContain('Unsupported protocol version');
      }
    }
    // What the session agreed on decides what its client knows, whatever else the header names.
    client.headers['mcp-protocol-version'] = '2025-11-25';
    expect((await (await client.callTool('echo')).sse.rest()).every(({ data }) => data !== '')).toBe(true);
    client.headers['mcp-protocol-version'] = '2025-06-18';
    expect((await client.callTool('echo')).status).toBe(200);
  });

  it('rule 21: a client of a revision without sessions gets the list of supported ones', async () => {
    const { raw } = await start(line, { tools: echo });
    const client = raw({ 'mcp-protocol-version': '2026-07-28' });
    for (const response of [await client.callTool('echo'), await client.get(), await client.delete()]) {
      expect(response.status).toBe(400);
      expect((await response.error()).message).toContain('supported versions: 2025-11-25');
    }
  });

  it('rule 22: a batch of requests shares one stream, which ends after the last answer; later revisions refuse batches', async () => {
    const { raw } = await start(line, { tools: echo });
    const client = raw();
    await client.begin('2025-03-26');
    const [first, second] = [client.toolCall('echo', { text: 'a' }), client.toolCall('echo', { text: 'b' })];
    const response = await client.post([
      first,
      { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 99 } },
      second,
    ]);
    const messages = (await response.sse.rest()).map(({ data }) => JSON.parse(data ?? '') as { id: number });
    expect(new Set(messages.map(({ id }) => id))).toEqual(new Set([first.id, second.id]));
    expect((await client.post([{ jsonrpc: '2.0', method: 'notifications/initialized' }])).status).toBe(202);
    expect((await client.post([])).status).toBe(400);
    expect((await client.post([first, first])).status).toBe(400);
    expect((await client.post(Array.from({ length: 101 }, () => client.toolCall('echo')))).status).toBe(400);

    const later = raw();
    await later.begin('2025-06-18');
    expect((await later.post([later.toolCall('echo')])).status).toBe(400);
    expect((await raw().post([initialize(), initialize()])).status).toBe(400);
  });
});
