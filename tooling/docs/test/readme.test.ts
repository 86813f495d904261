import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { root } from '@mcp-session-tooling/workspace/packages';
import { expect, it } from 'vitest';
import { blocksOf } from '../src/documents.ts';
import { emptyFolder, freePort, start, untilItIsGone, untilItListens } from './support/server.ts';

const LIMIT_MS = 120_000;

const blocks = blocksOf({ path: 'README.md', text: readFileSync(join(root, 'README.md'), 'utf8') });

/** The block that imports a module. */
function codeWith(module: string): string {
  const code = blocks.find((block) => block.language === 'ts' && block.code.includes(`'${module}'`))?.code;
  if (code === undefined) throw new Error(`README.md has no block that imports ${module}`);
  return code;
}

it(
  'the server of the README survives kill -9, and its client prints what the README says',
  { timeout: LIMIT_MS },
  async () => {
    const folder = emptyFolder();
    const port = await freePort();
    for (const [name, module] of [
      ['server', '@mcp-session/http/v2'],
      ['client', '@modelcontextprotocol/client'],
    ] as const) {
      const code = codeWith(module).replaceAll('3000', String(port));
      expect(code.includes('await setTimeout(1_000);')).toBe(name === 'client');
      // The client waits until the test says go on, and not for a second.
      const waits = "await new Promise((go) => process.stdin.once('data', go));";
      writeFileSync(join(folder, `${name}.mjs`), code.replace('await setTimeout(1_000);', waits));
    }

    const server = start(join(folder, 'server.mjs'), folder);
    await untilItListens(port);
    const client = start(join(folder, 'client.mjs'), folder);
    const seen: string[] = [];
    for await (const line of createInterface({ input: client.stdout ?? process.stdin })) {
      seen.push(line);
      if (seen.length === 4) break;
      if (line === 'visit 2') {
        const ended = once(server, 'exit');
        server.kill('SIGKILL');
        await ended;
      } else if (line === 'TypeError: fetch failed') {
        start(join(folder, 'server.mjs'), folder);
        await untilItListens(port);
      }
      client.stdin?.write('go on');
    }

    const shown = blocks.find(({ language, code }) => language === 'text' && code.startsWith('visit 1'))?.code;
    expect(`${seen.join('\n')}\n`).toBe(shown);
  },
);

it('the server of the README answers the call that runs when it gets SIGTERM', { timeout: LIMIT_MS }, async () => {
  const folder = emptyFolder();
  const port = await freePort();
  // The tool begins, and goes on when the test says so.
  const slow =
    "console.log('begun'); await new Promise((go) => process.stdin.once('data', go)); process.stdin.pause();";
  const code = codeWith('@mcp-session/http/v2').replace('3000', String(port)).replace('const visits', `${slow} $&`);
  writeFileSync(join(folder, 'server.mjs'), code);
  const server = start(join(folder, 'server.mjs'), folder);
  const ended = once(server, 'exit');
  await untilItListens(port);
  const client = new Client({ name: 'reader', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)));
  const call = client.callTool({ name: 'visit' });
  await once(server.stdout ?? process.stdin, 'data');

  server.kill('SIGTERM');
  await untilItIsGone(port);
  server.stdin?.write('go on');

  expect((await call).content).toEqual([{ type: 'text', text: 'visit 1' }]);
  expect(await ended).toEqual([0, null]);
  await client.close();
});
