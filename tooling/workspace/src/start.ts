// Does what the README asks a newcomer to do first: runs the start command, waits until the server
// prints its address, and opens a session there like any MCP client. Exits with 0 if the server
// answers.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { root } from './packages.ts';

const limitMs = 120_000;

// In its own process group, so that it can be stopped together with everything that npx and pnpm
// have started.
const child = spawn('npx', ['-y', 'pnpm@12', 'start', '--store', 'memory', '--port', '0'], {
  cwd: root,
  detached: true,
  stdio: ['ignore', 'pipe', 'inherit'],
});
const stop = (): void => {
  if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
};

try {
  const url = await addressOf(child.stdout);
  console.log(`start: listens on ${url}`);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'start-check', version: '1.0.0' },
      },
    }),
    signal: AbortSignal.timeout(10_000),
  });
  const session = response.headers.get('mcp-session-id');
  await response.body?.cancel();
  if (!response.ok || session === null) throw new Error(`Answer ${response.status}, session "${session}"`);
  console.log(`start: session ${session}`);
} catch (error) {
  console.error('start:', error);
  process.exitCode = 1;
} finally {
  stop();
}

async function addressOf(output: Readable): Promise<string> {
  const lines = createInterface({ input: output });
  const timer = setTimeout(() => lines.close(), limitMs);
  try {
    for await (const line of lines) {
      console.log(line);
      const address = /https?:\/\/\S+\/mcp\b/.exec(line)?.[0];
      if (address !== undefined) return address;
    }
    throw new Error(`The command ended, or ${limitMs} ms passed, without a line that has an address`);
  } finally {
    clearTimeout(timer);
  }
}
