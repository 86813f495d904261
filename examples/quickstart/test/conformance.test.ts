import { startProxy } from '@mcp-session-examples/two-nodes/proxy';
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { serve, temporaryFolder } from './support/processes.ts';

/** The scenarios of the official package that need no fixtures of theirs in the server. */
const SCENARIOS = ['server-initialize', 'ping', 'tools-list', 'server-sse-multiple-streams'];

const CLI = join(
  dirname(fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/package.json'))),
  'dist/index.js',
);

/** Runs a scenario. It fails where a check does. */
async function pass(url: string, scenario: string): Promise<string> {
  const args = [CLI, 'server', '--url', url, '--scenario', scenario, '-o', temporaryFolder()];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout;
}

it('passes the official scenarios of sessions and streams', { timeout: 60_000 }, async () => {
  const { url } = await serve(['--port', '0', '--data', join(temporaryFolder(), 'sessions.db')]);
  for (const scenario of [...SCENARIOS, 'dns-rebinding-protection']) {
    expect(await pass(url, scenario)).toMatch(/Passed: [1-9]\d*\/\d+, 0 failed/);
  }
});

it('passes them on two nodes that take turns', { timeout: 60_000 }, async () => {
  const data = join(temporaryFolder(), 'sessions.db');
  const nodes = [await serve(['--port', '0', '--data', data]), await serve(['--port', '0', '--data', data])];
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const answered = nodes.map(() => 0);
  const url = await startProxy(
    nodes.map((node) => node.url),
    { signal: abort.signal, onAnswer: (node) => void (answered[node] = (answered[node] ?? 0) + 1) },
  );
  for (const scenario of SCENARIOS) {
    expect(await pass(`${url}/mcp`, scenario)).toMatch(/Passed: [1-9]\d*\/\d+, 0 failed/);
  }
  expect(Math.min(...answered)).toBeGreaterThan(5);
});
