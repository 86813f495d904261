import { describe, expect, it } from 'vitest';
import { addresses } from '../support/addresses.ts';
import { eventually, gate } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { type Node, startNodes } from '../support/nodes.ts';

const bearer = (scopes: string) => ({ authorization: `Bearer https://issuer|ada|app|${scopes}` });

describe.each(
  lines.flatMap((line) => addresses.map(([backend, newAddress]) => ({ line, name: line.name, backend, newAddress }))),
)('a weaker token of the same user, SDK $name on $backend', ({ line, newAddress }) => {
  it('rule 30: does not resume a call of a stronger one on any node, while it runs or afterwards', async () => {
    const go = gate();
    const nodes = await startNodes(line, 2, {
      newAddress,
      serve: () => ({ tools: { write: () => go.passed.then(() => 'written') } }),
    });
    const [one] = nodes as [Node];
    const strong = one.raw(bearer('read write'));
    await strong.begin();
    const call = await strong.callTool('write');
    const cursor = (await call.sse.next())?.id;
    await call.cancel();
    const as = (node: Node, scopes: string) =>
      node.raw({ ...strong.headers, ...bearer(scopes) }).get({ 'last-event-id': cursor });
    const expectRefused = async (): Promise<void> => {
      for (const node of nodes) {
        for (const scopes of ['read', '', 'writes readonly']) {
          const refused = await as(node, scopes);
          expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
            403,
            'Bearer error="insufficient_scope", scope="read write"',
          ]);
        }
      }
    };
    await expectRefused();
    go.open();
    for (const node of nodes) {
      for (const scopes of ['write read', 'read write admin']) {
        const frames = await (await as(node, scopes)).sse.rest();
        expect(frames.at(-1)?.data).toContain('written');
      }
    }
    await expectRefused();
    expect(nodes.flatMap(({ errors }) => errors)).toEqual([]);
  });

  it('rule 30: nor once the beginning of the call was trimmed, which only the same scopes resume then', async () => {
    const go = gate();
    const nodes = await startNodes(line, 2, {
      newAddress,
      serve: () => ({ tools: { write: () => go.passed.then(() => 'written') } }),
    });
    const [one, two] = nodes as [Node, Node];
    const cursors: [scopes: string, cursor: string | undefined][] = [];
    const strong = one.raw(bearer('read write'));
    const id = await strong.begin();
    for (const scopes of ['read write', '']) {
      const call = await one.raw({ ...strong.headers, ...bearer(scopes) }).callTool('write');
      cursors.push([scopes, (await call.sse.next())?.id]);
      await call.cancel();
    }
    const session = await one.store.get(id, { principal: 'https://issuer|ada' });
    await session?.events.trim({ through: cursors[1]?.[1] ?? '' });
    const as = (node: Node, scopes: string, cursor: string | undefined) =>
      node.raw({ ...strong.headers, ...bearer(scopes) }).get({ 'last-event-id': cursor });
    const expectRefused = async (): Promise<void> => {
      for (const scopes of ['read', '', 'read write admin']) {
        const refused = await as(two, scopes, cursors[0]?.[1]);
        expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
          403,
          'Bearer error="insufficient_scope"',
        ]);
      }
    };
    go.open();
    for (const [, cursor] of cursors) {
      const streamId = session?.events.streamOf(cursor ?? '') ?? '';
      await eventually(async () => (await session?.events.recent(1, streamId))?.length === 1);
    }
    await expectRefused();
    for (const [scopes, cursor] of [
      ...cursors,
      ['write read write', cursors[0]?.[1]],
      ['read', cursors[1]?.[1]],
    ] as const) {
      const frames = await (await as(two, scopes, cursor)).sse.rest();
      expect(frames.at(-1)?.data).toContain('written');
    }
    await expectRefused();
  });
});
