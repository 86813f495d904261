import { transportOf } from '@mcp-session/core/transport';
import { describe, expect, it } from 'vitest';
import { start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';

describe.each(lines)('servers that close themselves, SDK $name', (line) => {
  it('a server that closes itself is dropped, and the session can be restored', async () => {
    const { raw, handler } = await start(line, {
      tools: {
        quit: async (_, __, server) => {
          await server.close();
          return 'never said';
        },
        echo: () => 'x',
      },
    });
    const client = raw();
    await client.begin();
    const listening = await client.get();
    const call = await client.callTool('quit');
    expect((await call.sse.rest()).at(-1)).toEqual({ retry: 1_000 });
    expect((await listening.sse.rest()).at(-1)).toEqual({ retry: 1_000 });
    expect(handler.localSessions).toBe(0);
    expect((await (await client.callTool('echo')).sse.rest()).at(-1)?.data).toContain('"x"');
  });

  it('a server that closes itself while it is restored fails only that request', async () => {
    let quits = true;
    const { raw, another, errors } = await start(line, {
      serve: (_, restored) => ({
        tools: { echo: () => 'x' },
        onInitialized: (server) => void (restored && quits && server.close()),
      }),
    });
    const client = raw();
    await client.begin();
    const handler = another();
    expect((await client.callTool('echo')).status).toBe(500);
    expect(errors).toEqual([expect.objectContaining({ message: 'Server closed itself while it was restored' })]);
    expect(handler.localSessions).toBe(0);
    quits = false;
    expect((await (await client.callTool('echo')).sse.rest()).at(-1)?.data).toContain('"x"');
  });

  it('a server that closes itself while its session begins is dropped', async () => {
    let restored = false;
    const { raw, handler } = await start(line, {
      serve: (session, again) => {
        restored = again;
        const transport = transportOf(session);
        const { updateTransport } = transport;
        return {
          tools: { echo: () => 'x' },
          onCreated: (server) => {
            // The last that is done for an initialize.
            transport.updateTransport = async (change) => {
              if (!again) await server.close();
              return updateTransport.call(session, change);
            };
          },
        };
      },
    });
    const client = raw();
    await client.begin();
    expect(handler.localSessions).toBe(1);
    expect(restored).toBe(true);
    expect((await (await client.callTool('echo')).sse.rest()).at(-1)?.data).toContain('"x"');
  });
});
