import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { root } from '@mcp-session-tooling/workspace/packages';
import { expect, it, onTestFinished } from 'vitest';
import { blocksOf } from '../src/documents.ts';

const LIMIT_MS = 60_000;

const blocks = blocksOf({ path: 'README.md', text: readFileSync(join(root, 'README.md'), 'utf8') });

/** The block that imports a module. */
function codeWith(module: string): string {
  const code = blocks.find((block) => block.language === 'ts' && block.code.includes(`'${module}'`))?.code;
  if (code === undefined) throw new Error(`README.md has no block that imports ${module}`);
  return code;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a file as a reader would, but on our sources. It is killed after the test. */
function start(file: string, cwd: string): ChildProcess {
  const args = ['--conditions=@mcp-session/source', '--disable-warning=ExperimentalWarning', file];
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function untilItListens(port: number): Promise<void> {
  for (;;) {
    try {
      await fetch(`http://127.0.0.1:${port}/mcp`);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

it(
  'the server of the README survives kill -9, and its client prints what the README says',
  { timeout: LIMIT_MS },
  async () => {
    const parent = fileURLToPath(new URL('../node_modules/', import.meta.url));
    const folder = mkdtempSync(join(parent, '.readme-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    // As `npm init -y` makes it: CommonJS, so that the names of the files must say what they are.
    writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }');
    const port = await freePort();
    for (const [name, module] of [
      ['server', '@mcp-session/http/v2'],
      ['client', '@modelcontextprotocol/client'],
    ] as const) {
      const code = codeWith(module).replaceAll('3000', String(port)).replace('1_000', '200');
      writeFileSync(join(folder, `${name}.mjs`), code);
    }

    const server = start(join(folder, 'server.mjs'), folder);
    await untilItListens(port);
    const client = start(join(folder, 'client.mjs'), folder);
    const seen: string[] = [];
    for await (const line of createInterface({ input: client.stdout ?? process.stdin })) {
      if (line !== seen.at(-1)) seen.push(line);
      if (line === 'visit 2') {
        server.kill('SIGKILL');
      } else if (line === 'TypeError: fetch failed' && seen.length === 3) {
        start(join(folder, 'server.mjs'), folder);
        await untilItListens(port);
      } else if (seen.length === 4) {
        break;
      }
    }

    const shown = blocks.find(({ language, code }) => language === 'text' && code.startsWith('visit 1'))?.code;
    expect(`${seen.join('\n')}\n`).toBe(shown);
  },
);
