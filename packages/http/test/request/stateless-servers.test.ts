import { createMemoryStore } from '@mcp-session/core/memory';
import { McpServer as V1Server } from '@modelcontextprotocol/sdk/server/mcp.js';
import { afterAll, describe, expect, it } from 'vitest';
import { gate } from '../support/harness.ts';
import { type StatelessEntry, statelessEntries } from '../support/stateless-requests.ts';

const store = await createMemoryStore();
afterAll(() => store.close());

const AGAIN =
  'TypeError: Option createStatelessServer returned the same server again; make a new one each time it is called';

function collector(): { readonly errors: string[]; readonly onError: (error: unknown) => void } {
  const errors: string[] = [];
  return { errors, onError: (error) => void errors.push(String(error)) };
}

/** A logger that keeps its lines of the level `error`. */
function lines(): { readonly written: string[]; readonly logger: object } {
  const written: string[] = [];
  const ignore = (): void => undefined;
  const error = ({ err }: { readonly err: unknown }): void => void written.push(String(err));
  return { written, logger: { debug: ignore, info: ignore, warn: ignore, error } };
}

function entryOf(name: string): StatelessEntry {
  const found = statelessEntries.find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`No entry ${name}`);
  return found;
}

describe.each(statelessEntries)('servers without a session, $name', ({ createHandler, makeServer, request }) => {
  it.each(['one handler', 'two handlers'])(
    'a server that still serves a request of %s is refused, and that request gets its answer',
    async (handlers) => {
      const [begun, go] = [gate(), gate()];
      const shared = makeServer(async () => {
        begun.open();
        await go.passed;
        return 'waited';
      });
      const { errors, onError } = collector();
      const make = () => createHandler({ store, createStatelessServer: () => shared, onError });
      const handler = make();
      const other = handlers === 'one handler' ? handler : make();
      const first = handler.fetch(request());
      await begun.passed;
      expect((await other.fetch(request())).status).toBe(500);
      go.open();
      expect(await (await first).text()).toContain('waited');
      expect(errors).toEqual([handlers === 'one handler' ? AGAIN : expect.stringMatching(/already|still serving/i)]);
      await Promise.all([handler.close(), other.close()]);
    },
  );

  it('a server that has served a request is refused as well', async () => {
    const { errors, onError } = collector();
    const shared = makeServer(async () => 'served');
    const handler = createHandler({ store, createStatelessServer: () => shared, onError });
    expect(await (await handler.fetch(request())).text()).toContain('served');
    expect((await handler.fetch(request())).status).toBe(500);
    expect(errors).toEqual([AGAIN]);
    await handler.close();
  });

  it.each(['onError', 'logger'])('what is no server is a 500, and %s gets why', async (where) => {
    const { errors, onError } = collector();
    const { written, logger } = lines();
    let made: unknown;
    const handler = createHandler({
      store,
      createStatelessServer: () => {
        if (made instanceof Error) throw made;
        return made;
      },
      logger,
      ...(where === 'onError' && { onError }),
    });
    for (made of [undefined, null, {}, Promise.resolve(), new Error('No server today')]) {
      expect((await handler.fetch(request())).status).toBe(500);
    }
    const returned = (kind: string): string =>
      `TypeError: Option createStatelessServer returned ${kind}; return an McpServer`;
    expect(where === 'onError' ? errors : written).toEqual(
      where === 'onError'
        ? [
            returned('undefined'),
            returned('null'),
            returned('an object'),
            returned('undefined'),
            'Error: No server today',
          ]
        : // The same cause has one line a minute.
          [returned('undefined'), returned('null'), returned('an object'), 'Error: No server today'],
    );
    expect(where === 'onError' ? written : errors).toEqual([]);
    await handler.close();
  });
});

it('revision 2026-07-28: the server of another SDK line is named in the log, and no mistake of a client is', async () => {
  const { createHandler, request } = entryOf('revision 2026-07-28');
  const { written, logger } = lines();
  const handler = createHandler({
    store,
    createStatelessServer: () => new V1Server({ name: 'v1', version: '1.0.0' }),
    logger,
  });
  expect((await handler.fetch(request())).status).toBe(500);
  const { url, headers } = request();
  const wrong = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: {} });
  expect((await handler.fetch(new Request(url, { method: 'POST', headers, body: wrong }))).status).toBe(400);
  expect(written).toEqual([
    'TypeError: Option createStatelessServer returned the McpServer of another SDK line or copy; import it from @modelcontextprotocol/server, as an ES module',
  ]);
  await handler.close();
});

it('revision 2026-07-28: what fails after createStatelessServer is in the log too', async () => {
  const { createHandler, makeServer, request } = entryOf('revision 2026-07-28');
  const { written, logger } = lines();
  const handler = createHandler({
    store,
    createStatelessServer: () =>
      Object.assign(
        makeServer(async () => 'served'),
        {
          connect: async () => {
            throw new Error('Not connected today');
          },
        },
      ),
    logger,
  });
  expect((await handler.fetch(request())).status).toBe(500);
  expect(written).toEqual(['Error: Not connected today']);
  await handler.close();
});
