import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startNode } from '../src/runtimes/run.ts';
import { openStore, type Place } from '../src/runtimes/store.ts';
import { deploy } from './support/deployment.ts';
import { newFolder, newPlace } from './support/place.ts';
import { playStory } from './support/story.ts';

/** How many sessions of clients there are. */
async function countSessions(place: Place): Promise<number> {
  const store = await openStore(place);
  onTestFinished(() => store.close());
  return store.count();
}

function programOf(name: string, path: string): string {
  return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), path);
}

it('mcp-remote goes on after the end of the server; it begins two sessions and sends no DELETE', async () => {
  const place = await newPlace('sqlite');
  const deployment = await deploy(startNode, place);
  const folder = newFolder();
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [programOf('mcp-remote', 'dist/proxy.js'), deployment.url, '--transport', 'http-only', '--silent'],
    env: { HOME: folder, MCP_REMOTE_CONFIG_DIR: folder },
  });
  const client = await playStory(deployment, transport);
  await client.close();
  expect(await countSessions(place)).toBe(2);
});

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the Inspector's command line. */
function inspect(url: string, args: readonly string[]): Promise<Outcome> {
  const program = programOf('@modelcontextprotocol/inspector', 'clients/launcher/build/index.js');
  const env = { ...process.env, HOME: newFolder() };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, '--cli', url, '--transport', 'http', ...args],
      { env },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

it("the Inspector's command line learns of a call that died with its server, and sends no DELETE", async () => {
  const place = await newPlace('sqlite');
  const { promise: atThree, resolve: isAtThree } = Promise.withResolvers<void>();
  const deployment = await deploy(startNode, place, (line) => {
    if (line.startsWith('Stored chapter 3 ')) isAtThree();
  });
  const listed = await inspect(deployment.url, ['--method', 'tools/list']);
  expect(listed).toMatchObject({ code: 0, stderr: '' });
  expect(listed.stdout).toContain('read_book');

  const call = ['--method', 'tools/call', '--tool-name', 'read_book', '--tool-arg'];
  const interrupted = inspect(deployment.url, [...call, 'chapters=50', 'delayMs=100']);
  await atThree;
  await deployment.replace();
  const { code, stdout, stderr } = await interrupted;
  expect(code).not.toBe(0);
  expect(stdout + stderr).toContain('Request was interrupted: the server that handled it has stopped');
  expect(await countSessions(place)).toBe(2);
});
