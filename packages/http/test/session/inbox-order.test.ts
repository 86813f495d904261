import { describe, expect, it } from 'vitest';
import { createSessionStore } from '@mcp-session/core/backend';
import { failingBackend } from '../support/failing-backend.ts';
import { start } from '../support/harness.ts';
import type { Json, ServerPort } from '../support/line.ts';
import { lines } from '../support/lines.ts';
import { type Node, startNodes } from '../support/nodes.ts';

/** Which node each of three reports of progress and the answer go to, where the first has asked. */
const ways: readonly (readonly number[])[] = [
  [0, 0, 0, 0],
  [1, 0, 1, 0],
  [0, 1, 0, 1],
  [1, 1, 1, 0],
  [0, 0, 1, 0],
  [1, 2, 1, 0],
  [2, 1, 0, 2],
];

describe.each(lines)("the order of a client's messages, SDK $name", (line) => {
  it('rule 11: progress and the response reach the server in the order of their acknowledgements, over any nodes', async () => {
    let port: ServerPort | undefined;
    const nodes = await startNodes(line, 3, {
      serve: (node) => ({ tools: {}, onCreated: (created) => (port = node === 0 ? created : port) }),
    });
    const [a] = nodes as [Node];
    const client = a.raw();
    await client.begin();
    const { sse } = await client.get();
    for (const way of ways) {
      const heard: unknown[] = [];
      const asked = port?.listRoots({ onProgress: (progress) => heard.push(progress) });
      const { message } = await sse.message();
      const progressToken = ((message['params'] as Json)['_meta'] as Json)['progressToken'];
      const post = async (index: number, posting: Json): Promise<void> => {
        const node = nodes[way[index] ?? 0];
        expect((await node?.raw(client.headers).post({ jsonrpc: '2.0', ...posting }))?.status).toBe(202);
      };
      for (let progress = 1; progress <= 3; progress++) {
        await post(progress - 1, { method: 'notifications/progress', params: { progressToken, progress } });
      }
      await post(3, { id: message['id'], result: { roots: [] } });
      await asked;
      expect({ way, heard }).toEqual({ way, heard: [1, 2, 3] });
    }
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
    await sse.cancel();
  });

  it('on one node, an answer costs what any POST costs: a read of the session', async () => {
    const { backend, calls, rest } = failingBackend();
    const made: string[][] = [];
    const { raw } = await start(line, {
      store: await createSessionStore(backend),
      tools: {
        ask: async (_, { elicit }) => {
          await elicit('name?');
          // Readers that wait ask for heads once a second.
          made.push(calls().filter((name) => name !== 'readHeads'));
          return 'asked';
        },
        echo: () => 'x',
      },
    });
    const client = raw();
    await client.begin();
    for (let round = 0; round < 3; round++) {
      const { sse } = await client.callTool('ask');
      const { message } = await sse.message();
      await (await client.callTool('echo')).sse.rest();
      await rest();
      await client.post({ jsonrpc: '2.0', id: message['id'], result: { action: 'accept', content: {} } });
      await sse.message();
    }
    expect(made).toEqual([['readSession'], ['readSession'], ['readSession']]);
  });
});
