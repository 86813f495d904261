import { describe, expect, it } from 'vitest';
import type { Json, Tool } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { type Node, startNodes } from '../support/nodes.ts';
import type { RawClient } from '../support/raw.ts';

const bearer = (subject: string) => ({ authorization: `Bearer https://issuer|${subject}|app` });

const ask: Tool = async (_, { elicit, progress }) => {
  await progress(1);
  return JSON.stringify(await elicit('name?'));
};

/** Whatever a stranger can say of somebody else's request, in a session of the stranger's own. */
function meddling(requestId: unknown, askedId: unknown): Json[] {
  return [
    { jsonrpc: '2.0', id: askedId, result: { action: 'accept', content: { name: 'Mallory' } } },
    { jsonrpc: '2.0', id: askedId, error: { code: -32_000, message: 'no' } },
    { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: askedId, progress: 9 } },
    { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } },
  ];
}

describe.each(lines)('sessions of two principals, SDK $name', (line) => {
  it('rule 7: one principal gets nothing with the ids, cursors and request ids of the other, on any node', async () => {
    const nodes = await startNodes(line, 2, { serve: () => ({ tools: { ask } }) });
    const [a, b] = nodes as [Node, Node];
    const alice = a.raw(bearer('alice'));
    await alice.begin();
    const mallory = a.raw(bearer('mallory'));
    await mallory.begin();
    // Both have asked with the same id of a request, and each waits for its own user.
    const request = { ...alice.toolCall('ask'), id: 'same' };
    Object.assign(request, { params: { name: 'ask', arguments: {}, _meta: { progressToken: 'same' } } });
    const [hers, theirs] = [await alice.post(request), await mallory.post(request)];
    const cursor = (await hers.sse.message()).id;
    const { id: askedCursor, message: asked } = await hers.sse.message();
    await theirs.sse.message();
    const { message: malloryAsked } = await theirs.sse.message();
    expect(asked['id']).not.toBe(malloryAsked['id']);
    const listening = await alice.get();
    const standaloneCursor = (await listening.sse.next())?.id ?? '';

    const strangers: RawClient[] = [a.raw(mallory.headers), b.raw(mallory.headers)];
    for (const stranger of strangers) {
      for (const stolen of [cursor, askedCursor, standaloneCursor]) {
        const refused = await stranger.get({ 'last-event-id': stolen });
        expect(refused.status).toBe(400);
        expect(JSON.stringify(await refused.json())).not.toContain('name?');
      }
      const [answer, error, progress] = meddling('same', asked['id']);
      for (const message of [answer, error, progress]) expect((await stranger.post(message)).status).toBe(202);
      const withHerId = b.raw({ ...stranger.headers, 'mcp-session-id': alice.headers['mcp-session-id'] ?? '' });
      for (const message of meddling('same', asked['id'])) expect((await withHerId.post(message)).status).toBe(404);
    }
    // The stranger's own request of that id is what a cancellation ends, and nothing else.
    const [, , , cancel] = meddling('same', asked['id']);
    await strangers[1]?.post(cancel);
    expect((await theirs.sse.message()).message).toMatchObject({
      method: 'notifications/cancelled',
      params: { requestId: malloryAsked['id'] },
    });
    expect((await theirs.sse.rest()).filter(({ data }) => data)).toEqual([]);

    const right = { jsonrpc: '2.0', id: asked['id'], result: { action: 'accept', content: { name: 'Alice' } } };
    expect((await b.raw(alice.headers).post(right)).status).toBe(202);
    expect((await hers.sse.message()).message).toMatchObject({
      id: 'same',
      result: { content: [{ text: '{"name":"Alice"}' }] },
    });
    expect(await hers.sse.next()).toBeUndefined();
    await listening.cancel();
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
  });
});
